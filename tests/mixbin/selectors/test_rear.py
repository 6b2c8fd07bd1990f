"""The layers nearest to the output first."""

from __future__ import annotations

from b2nn_tvm.mixbin.selectors import registry as methods
from tests.support.mixbin.toy import NAMES


def test_rear_is_the_order_of_the_network_from_its_end(model, batches):
    assert methods.score("rear", model, batches).order == NAMES[::-1]
