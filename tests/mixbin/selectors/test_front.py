"""The layers nearest to the input first."""

from __future__ import annotations

from b2nn_tvm.mixbin.selectors import registry as methods
from tests.support.mixbin.toy import NAMES


def test_front_is_the_order_of_the_network(model, batches):
    assert methods.score("front", model, batches).order == NAMES
    shuffled = methods.score("front", model, batches, layers=NAMES[::-1])
    assert shuffled.order == NAMES and tuple(shuffled.scores) == NAMES[::-1]
