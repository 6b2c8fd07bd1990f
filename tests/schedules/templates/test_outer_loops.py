"""The order of the loops around the tiles, and whether threads share them."""

from __future__ import annotations

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import binary_conv, float_conv


@pytest.mark.parametrize(
    ("make", "vector", "channels", "weights", "order"),
    [
        (binary_conv, "avx512vpopcntdq", 64, 9 * 64 * 64 // 8, "n_h_0_o_0"),
        (binary_conv, "avx2", 64, 9 * 64 * 64 // 4, "n_h_0_o_0"),
        (binary_conv, "neon", 64, 9 * 64 * 64 // 8, "n_h_0_o_0"),
        (binary_conv, "neon", 256, 9 * 256 * 256 // 8, "n_o_0_h_0"),
        (float_conv, "avx512", 32, 9 * 32 * 32 * 4, "n_h_0_o_0"),
        (float_conv, "avx512", 256, 9 * 256 * 256 * 4, "n_o_0_h_0"),
    ],
)
def test_rows_come_first_where_all_weights_stay_near(make, vector, channels, weights, order):
    """A thread's share is whole rows then, and no weights are fetched from afar for each of them."""
    vector_unit = vector_unit_named(vector)
    workload = ConvWorkload(1, channels, 28, 28, channels, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(make(workload, vector_unit.layout))
    anchor = find_anchor(sch)
    assert anchor.weights == weights
    apply_tile(sch, anchor, Tile(2, 2, 2), vector_unit=vector_unit)
    assert re.findall(r"for (\w+) in T.parallel\(", sch.mod["main"].script()) == [f"{order}_fused"]
