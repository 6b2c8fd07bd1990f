"""A micro-kernel in place of the loops of a direct convolution's tile."""

from __future__ import annotations

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.functions import float_conv, winograd

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("make", [float_conv, winograd])
def test_the_call_stands_in_place_of_the_loops(name, make):
    workload = ConvWorkload(1, 12, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(make(workload, vector_unit_named(name).layout))
    apply_tile(sch, find_anchor(sch), Tile(2, 4, 2), vector_unit=vector_unit_named(name))
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_multiply_\w+"', sch.mod["main"].script())) == 1


@pytest.mark.parametrize(("channels", "numbered"), [(32, False), (128, True)])
def test_calls_are_numbered_where_weights_are_far_away(channels, numbered):
    """36 or 147 KB of weights; the number goes through the tiles of an image, for the weights of each two blocks."""
    workload = ConvWorkload(1, channels, 8, 8, channels, (3, 3), padding=(1, 1, 1, 1))
    unit = vector_unit_named("avx512vpopcntdq")
    sch = Schedule(int8_conv(workload, unit.layout))
    apply_tile(sch, find_anchor(sch), Tile(2, 4, 2), vector_unit=unit)
    (call,) = re.findall(r'T.call_extern\("int32", "b2nn_dot_\w+", (.*)\)', sch.mod["main"].script())
    assert call.endswith("v_h_o * 2 // 2 * 2 + v_w_o * 4 // 4") == numbered, call
