"""How far off a decision's input may be, and which of its places that leaves open."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.ties.open_choices import OPEN, choices_within, magnitude, margins
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

CONSTANTS = {"t": np.float32(0.25), "big": np.float32(1e3), "one": np.float32(1), "minus": np.float32(-1)}
PLAIN = "a = Mul (input, one) b = Tanh (a) p = Greater (b, t) output = Where (p, one, minus)"
CANCELLED = "a = Add (input, big) b = Sub (a, big) p = Greater (b, t) output = Where (p, one, minus)"


@pytest.mark.parametrize(("nodes", "least"), [(PLAIN, OPEN), (CANCELLED, 1e-4)])
def test_the_margin_follows_the_rounding_before_the_comparison(tmp_path, nodes, least):
    """What is left of two large numbers is as far off as they are; what is at most 1, no more than OPEN."""
    oracle = Oracle(save(tmp_path, Network(nodes, CONSTANTS, "float[1,2,2] input").build())).forced
    tie = np.arctanh(0.25) if nodes == PLAIN else 0.25
    x = {"input": np.float32([[[-8, tie], [tie * (1 + 1e-6), 0.3]]])}
    computed = oracle.run(x, {}, {})
    (decision,) = oracle.decisions
    margin = margins(oracle.decisions, computed, oracle.noise(x, computed, oracle.results(computed, {})))[
        decision.result
    ]
    assert least * 0.99 <= margin <= least * 30
    assert set(choices_within(decision, computed, margin)) == {1, 2}
    assert all(
        other != computed.values[decision.result].flat[place]
        for place, other in choices_within(decision, computed, margin).items()
    )


def test_a_magnitude_is_finite():
    assert magnitude(np.float32([1, -3, np.inf, np.nan]), None, np.array([True])) == 3
    assert magnitude(np.zeros((0,), np.float32)) == 0
