"""Direct convolutions: the inner loops that LLVM makes of their tiles, and columns that no tile divides."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, candidates, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.scheduled import build
from tests.support.schedules.assembly import innermost_loop, innermost_loops, spills
from tests.support.schedules.compiled import FMA, STAGES, assembly, inner_loop
from tests.support.schedules.functions import binary_conv, float_conv
from tests.support.schedules.inputs import inputs_of


@pytest.mark.parametrize("size", [7, 8, 14, 28])
@pytest.mark.parametrize(("name", "groups"), [("arm", 2), ("arm", 8), ("arm", 16), ("armv7", 2)])
def test_grouped_convolutions_keep_their_sums_in_registers(name, groups, size):
    """Their inner loops are LLVM's, not a micro-kernel's; what is on the stack there has been spilled."""
    workload = ConvWorkload(1, 64, size, size, 64, (3, 3), padding=(1, 1, 1, 1), groups=groups)
    loop = inner_loop(name, workload, float_conv, r"fmla v|vfma\.f32 q")
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)


@pytest.mark.parametrize("stage", STAGES)
def test_vpopcntdq_takes_three_operations_and_half_a_broadcast(stage):
    text = assembly("x86-vpopcntdq", binary_conv, STAGES[stage])
    loop = innermost_loop(text, "vpopcntd")
    updates = loop.count(r"vpopcntd %zmm\d+, %zmm\d+")
    assert updates >= 14
    assert loop.count(r"vpxord .*%zmm\d+$") == loop.count(r"vpaddd .*%zmm\d+$") == updates
    # Two vectors of filters share a broadcast, seven pixels a vector of weights.
    assert loop.count("vpbroadcastd") + loop.count(r"vpxord .*\{1to16\}") == updates / 2
    assert loop.count(r"vmovdq\w+ .*%zmm\d+$") <= updates / 7
    assert len(loop.instructions) <= 4 * updates
    assert spills(loop) == 0
    assert not re.search(r"\tpopcnt", text)


def test_vpopcntdq_broadcasts_in_the_xor_where_one_vector_of_filters_reads():
    loop = innermost_loop(assembly("x86-vpopcntdq", binary_conv, ConvWorkload(1, 64, 14, 14, 16, (3, 3))), "vpopcntd")
    updates = loop.count(r"vpopcntd %zmm")
    assert updates >= 6
    assert loop.count(r"vpxord -?\d*\(\S+\)\{1to16\}, %zmm\d+, %zmm\d+") == updates
    assert loop.count("vpbroadcastd") == 0
    assert spills(loop) == 0


@pytest.mark.parametrize("size", [13, 31, 71])
@pytest.mark.parametrize("isa", ["x86", "x86-avx512"])
def test_of_a_prime_width_one_column_is_left_over_and_nothing_else_suffers(isa, size):
    """The loop over tiles is cut in front of the last one: no comparison is left in a loop, and no vector is on the
    stack.
    """
    text = assembly(isa, float_conv, ConvWorkload(1, 64, size, size, 64, (3, 3), padding=(1, 1, 1, 1)))
    loops = [loop for loop in innermost_loops(text) if loop.count(FMA[isa])]
    assert max(loop.count(FMA[isa]) for loop in loops) >= 10
    assert sum(map(spills, loops)) == 0


@pytest.mark.in_turn("target")
def test_columns_that_are_left_over_are_computed_as_well(target):
    vector_unit = vector_unit_named(target.vector)
    function = float_conv(ConvWorkload(2, 12, 2, 31, 40, (3, 3), padding=(1, 1, 1, 1)), vector_unit.layout)
    inputs, results = inputs_of(function), []
    tiles = candidates(find_anchor(Schedule(function)), vector_unit)
    over = [tile for tile in tiles if 31 % tile.columns]
    assert over and over[0] == tiles[0]
    for tile in (Tile(1, 1, 1), *over):
        sch = Schedule(function)
        apply_tile(sch, find_anchor(sch), tile, vector_unit=vector_unit)
        results.append(build(sch.mod["main"], target)(*inputs))
        np.testing.assert_array_equal(results[-1], results[0])
    assert np.unique(results[0]).size > 10
