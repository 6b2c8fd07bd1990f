"""The planned time grows with the epochs and with what a method asks for."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.study.cells import Network
from b2nn_tvm.study.effort import OVERHEAD, scoring_s, training_s
from b2nn_tvm.study.tasks import Net, Source
from tests.support.study.few_digits import NAME

NETWORK = Network(
    Net("net", 8, "relu"), AdditiveCost("flops", 10, dict.fromkeys("abcd", 20), dict.fromkeys("abcd", 0)), 0.3
)


def test_seconds_are_those_of_all_images() -> None:
    bundle = Source(NAME, images=0, validation=0).load()  # 96, 48 and 64 images
    assert training_s(NETWORK, bundle, 10) == pytest.approx(0.3 * (OVERHEAD * 10 * 96 + (12 * 48 + 2 * 64) / 3))
    plain, trained = (scoring_s(NETWORK, bundle, method, 32) for method in ("mixbin-loss", "greedy-trained"))
    assert (plain, trained) == pytest.approx((0.3 * 2 * 32, 0.3 * (4 * 32 + 96 * 4 * OVERHEAD)))
