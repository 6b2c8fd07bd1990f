"""Random orders are drawn by the seed."""

from __future__ import annotations

from b2nn_tvm.mixbin.selectors import registry as methods
from tests.support.mixbin.toy import NAMES


def test_random_orders_are_drawn_by_the_seed(model, batches):
    draw = lambda seed: methods.score("random", model, batches, layers=NAMES, seed=seed).order
    assert draw(1) == draw(1)
    first = [draw(seed)[0] for seed in range(200)]
    assert set(first) == set(NAMES) and max(map(first.count, NAMES)) < 45  # 20 expected
