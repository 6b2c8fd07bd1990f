"""The decisions of a library, read from the values that it shows."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.ties import agree_at_ties
from b2nn_tvm.verification.ties.agree_at_ties import TooManyOpen, agrees
from b2nn_tvm.verification.ties.follow_shown import follow_shown
from b2nn_tvm.verification.ties.forced_oracle import ForcedOracle
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

SHAPE = (1, 4, 8, 8)
CODES = Network(
    "q = QuantizeLinear (input, s, z) d = DequantizeLinear (q, s, z) c = Conv (d, w) r = Relu (c)"
    " p = QuantizeLinear (r, u, z) e = DequantizeLinear (p, u, z) output = Conv (e, v)",
    {
        "s": np.float32(0.1),
        "z": np.uint8(128),
        "u": np.float32(0.261),
        "w": np.random.default_rng(1).integers(-9, 9, (6, 4, 3, 3)).astype(np.float32) / 8,
        "v": (5, 6, 1, 1),
    },
    "float[1,4,8,8] input",
)
RANGE = Network(
    "a = Mul (input, tenth) low = Greater (a, t) high = Less (a, u) p = And (low, high) s = Where (p, one, minus)"
    " output = Conv (s, w)",
    {
        "tenth": np.float32(0.1),
        "t": np.float32(1) * np.float32(0.1),
        "u": np.float32(3) * np.float32(0.1),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "w": (3, 4, 1, 1),
    },
    "float[1,4,8,8] input",
)


def oracle_of(tmp_path, network: Network) -> ForcedOracle:
    return Oracle(save(tmp_path, network.build())).forced


def other_library(
    oracle: ForcedOracle, x: dict[str, np.ndarray], turned: dict[int, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The outputs of a library, and what it shows, whose first decision is another one at these places."""
    computed = oracle.run(x, {}, {})
    name = oracle.decisions[0].result
    other = oracle.run(x, {name: turned}, {name: computed.values[name].shape})
    return other.outputs, {decision.shown: other.values[decision.shown] for decision in oracle.decisions}


@pytest.fixture
def halves() -> dict[str, np.ndarray]:
    """Inputs of which most lie half way between two codes, but for rounding."""
    rng = np.random.default_rng(2)
    codes = rng.integers(-40, 40, SHAPE) + np.where(rng.random(SHAPE) < 0.8, 0.5, 0.2)
    return {"input": (codes * 0.1).astype(np.float32)}


def test_many_codes_on_a_tie_are_read_and_forced(tmp_path, halves, monkeypatch):
    """More than can be tried; the second layer's codes follow from the first one's, far from their own thresholds."""
    monkeypatch.setattr(agree_at_ties, "RUNS", 20)
    oracle = oracle_of(tmp_path, CODES)
    first, second = oracle.decisions
    free = oracle.run(halves, {}, {})
    open_ = np.flatnonzero(np.abs(halves["input"] / 0.1 % 1 - 0.5) < 1e-3)
    turned = {int(place): free.values[first.result].flat[place] ^ 1 for place in open_[::2]}
    options = first.uncertain(*free.at(first), free.values[first.result], 1e-3)
    turned = {place: options[place] for place in turned}
    got, shown = other_library(oracle, halves, turned)
    followed = follow_shown(oracle, halves, free, shown)
    assert not followed.contradicts
    assert followed.choices == {first.result: turned}
    assert second.shown == "e" and len(turned) > 20
    with pytest.raises(TooManyOpen):
        agrees(oracle, halves, got)
    assert agrees(oracle, halves, got, shown=shown) is True


def test_codes_that_no_rounding_explains_contradict(tmp_path, halves, monkeypatch):
    """What is shown is the library's own word that it is wrong, also where too much is open to try."""
    monkeypatch.setattr(agree_at_ties, "RUNS", 20)
    oracle = oracle_of(tmp_path, CODES)
    (first, _), free = oracle.decisions, oracle.run(halves, {}, {})
    clear = np.flatnonzero(np.abs(halves["input"] / 0.1 % 1 - 0.5) > 0.1)[:3]
    got, shown = other_library(oracle, halves, {int(p): free.values[first.result].flat[p] + 1 for p in clear})
    followed = follow_shown(oracle, halves, free, shown)
    assert followed.contradicts and not followed.choices
    with pytest.raises(TooManyOpen):
        agrees(oracle, halves, got)
    assert agrees(oracle, halves, got, shown=shown) is False


def test_a_right_library_is_followed_nowhere(tmp_path, halves):
    oracle = oracle_of(tmp_path, CODES)
    _, shown = other_library(oracle, halves, {})
    followed = follow_shown(oracle, halves, oracle.run(halves, {}, {}), shown)
    assert followed.choices == {} and not followed.contradicts


def test_comparisons_that_share_what_shows_them_are_told_by_what_is_nearer(tmp_path):
    oracle = oracle_of(tmp_path, RANGE)
    x = {"input": np.random.default_rng(4).choice(np.float32([1, 2, 3, 4]), SHAPE)}
    low, high = oracle.decisions
    assert low.shown == high.shown == "s"
    computed = oracle.run(x, {}, {})
    ties = np.flatnonzero(x["input"] == 1)[::3]
    got, shown = other_library(oracle, x, {int(place): np.array(True) for place in ties})
    followed = follow_shown(oracle, x, computed, shown)
    assert set(followed.choices[low.result]) == set(ties.tolist())
    assert agrees(oracle, x, got, shown=shown) is True
