"""Rules: which schedule a function gets, that every tile computes the same, and when threads are used."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import relax, te, tirx, topi
from tvm.s_tir import Schedule

from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.schedule_module import (
    apply_tile,
    candidates,
    find_anchor,
    schedule_function,
    schedule_module,
    vector_unit_named,
)
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Record, Records
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.scheduled import build
from tests.support.schedules.functions import binary_conv, float_conv, winograd

SMALL = ConvWorkload(2, 40, 6, 4, 64, (3, 3), padding=(1, 1, 1, 1))
NEON = vector_unit_named("neon")


def inputs_of(function: tirx.PrimFunc) -> list[np.ndarray]:
    """Random bits, and small integers as floats, whose sums and products are exact in any order."""
    rng = np.random.default_rng(0)
    arrays = []
    for parameter in function.params[:-1]:
        shape, dtype = tuple(map(int, parameter.ty.shape)), str(parameter.dtype)
        limits = (-4, 5) if dtype == "float32" else (0, np.iinfo(dtype).max)
        arrays.append(rng.integers(*limits, shape).astype(dtype))
    return arrays


def parallel_loops(function: tirx.PrimFunc) -> int:
    return function.script().count("T.parallel(")


@pytest.mark.parametrize("make", [binary_conv, float_conv, winograd])
def test_every_tile_computes_the_same(make, target):
    """The default, and of all others those that are extreme in one direction."""
    vector_unit = vector_unit_named(target.vector)
    function = make(SMALL, vector_unit.layout)
    inputs = inputs_of(function)
    default, *others = candidates(find_anchor(Schedule(function)), vector_unit)
    extremes = {
        max(others, key=key)
        for key in (
            lambda t: t.accumulators,
            lambda t: t.rows,
            lambda t: t.columns,
            lambda t: (t.blocks, -t.pixels),
        )
    }
    results = []
    for tile in (default, *sorted(extremes, key=lambda t: t.word), Tile(1, 1, 1)):
        sch = Schedule(function)
        apply_tile(sch, find_anchor(sch), tile, vector_unit=vector_unit)
        results.append(build(sch.mod["main"], target)(*inputs))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    assert np.unique(results[0]).size > 10


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


@pytest.mark.parametrize(
    "make, op, kind, height, width, updates",
    [
        (binary_conv, "bconv2d_bytes", "binary", 6, 4, 2 * 24 * 64 * 9 * 5 // 16),
        (float_conv, "conv2d", "float", 6, 4, 2 * 24 * 64 * 9 * 40 // 4),
        (winograd, "winograd_conv2d", "winograd", 3, 2, 2 * 6 * 64 * 16 * 40 // 4),
    ],
)
def test_the_anchor_is_found_behind_its_helpers(make, op, kind, height, width, updates):
    anchor = find_anchor(Schedule(make(SMALL, NEON.layout)))
    assert (anchor.op, anchor.kind, anchor.workload) == (op, kind, SMALL.key)
    assert (anchor.height, anchor.width, anchor.updates) == (height, width, updates)
    assert anchor.blocks * anchor.lanes == 64


def test_loop_nests_get_tiles_that_leave_registers_for_the_operands():
    """On ARMv7, with 16 registers, where no micro-kernel sums: of grouped convolutions, and where a tile is one
    pixel.
    """
    vector_unit = vector_unit_named("neon_armv7")
    tiles = lambda workload: candidates(find_anchor(Schedule(float_conv(workload, vector_unit.layout))), vector_unit)
    sums = lambda workload: max(tile.accumulators for tile in tiles(workload))
    grouped = ConvWorkload(1, 64, 6, 6, 64, (3, 3), padding=(1, 1, 1, 1), groups=8)
    assert sums(replace(grouped, groups=1)) == 16 and sums(grouped) == 12
    assert all(tile.pixels > 1 or tile.blocks <= 12 for tile in tiles(replace(grouped, groups=1)))


def test_words_and_bytes_have_anchors_of_their_own():
    anchor = find_anchor(Schedule(binary_conv(SMALL, vector_unit_named("avx512vpopcntdq").layout)))
    assert (anchor.op, anchor.lanes, anchor.blocks) == ("bconv2d_words", 16, 4)


def test_without_a_convolution_there_is_no_anchor():
    x = te.placeholder((1, 4, 4, 8), name="x")
    function = te.create_prim_func([x, topi.nn.relu(x)])
    assert find_anchor(Schedule(function)) is None
    _, description = schedule_function(function, vector_unit=NEON, records=Records("neon"))
    assert description == "generic"


def record_of(tile: Tile) -> Records:
    anchor = find_anchor(Schedule(binary_conv(SMALL, NEON.layout)))
    return Records("neon").with_record(Record(anchor.op, anchor.workload, anchor.lanes, tile, 1.0, "a device"))


def test_a_recorded_tile_is_used():
    function = binary_conv(SMALL, NEON.layout)
    default, description = schedule_function(function, vector_unit=NEON, records=Records("neon"))
    assert description == "bconv2d_bytes 2x4x1 (default)"
    tuned, description = schedule_function(function, vector_unit=NEON, records=record_of(Tile(1, 2, 1)))
    assert description == "bconv2d_bytes 1x2x1 (tuned)"
    assert not tvm_ffi.structural_equal(default, tuned)


@pytest.mark.parametrize("tile", [Tile(4, 1, 1), Tile(6, 4, 4), Tile(1, 1, 3)])
def test_a_recorded_tile_that_does_not_fit_is_not_used(tile):
    """It does not divide the output, or needs more registers than there are: another version's record, say."""
    _, description = schedule_function(binary_conv(SMALL, NEON.layout), vector_unit=NEON, records=record_of(tile))
    assert description == "bconv2d_bytes 2x4x1 (default)"


@pytest.mark.parametrize(
    "make, vector, channels, weights, order",
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


@pytest.mark.parametrize("make", [binary_conv, float_conv, winograd])
def test_small_kernels_stay_on_one_thread(make):
    small = ConvWorkload(1, 16, 4, 4, 16, (3, 3), padding=(1, 1, 1, 1))
    large = ConvWorkload(1, 64, 28, 28, 64, (3, 3), padding=(1, 1, 1, 1))
    for workload, loops in ((small, 0), (large, 1)):
        function, _ = schedule_function(make(workload, NEON.layout), vector_unit=NEON, records=Records("neon"))
        assert parallel_loops(function) == loops


def test_what_stands_beside_parallel_convolutions_is_shared_out_sooner():
    """One thread alone would write what the others then fetch from its cache; where they sleep, waking them costs
    more.
    """
    x = te.placeholder((1, 32, 32, 16), name="x")
    for pixels, loops in ((4, 0), (28, 1)):
        workload = ConvWorkload(1, 64, pixels, pixels, 64, (3, 3), padding=(1, 1, 1, 1))
        module = tvm.IRModule(
            {"conv": binary_conv(workload, NEON.layout), "relu": te.create_prim_func([x, topi.nn.relu(x)])}
        )
        scheduled = schedule_module(module, vector_unit=NEON, records=Records("neon"))
        assert [parallel_loops(scheduled.module[name]) for name in ("conv", "relu")] == [loops, loops]


def test_a_module_is_scheduled_function_by_function():
    """Relax functions and kernels that are scheduled pass through as they are; the others get a description."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 4), "float32"))
    with builder.function("main", [x]):
        builder.emit_func_output(builder.emit(relax.op.nn.relu(x)))
    module = builder.get()
    a = te.placeholder((1, 4, 4, 8), name="a")
    module["relu"] = te.create_prim_func([a, topi.nn.relu(a)])
    module["conv"] = float_conv(SMALL, NEON.layout)
    module["pack"] = pack_signs((1, 4, 4, 8), (0, 0, 0, 0), word="uint8", pad_value=0)
    scheduled = schedule_module(module, vector_unit=NEON, records=Records("neon"))
    assert set(scheduled.descriptions) == {"relu", "conv"}
    assert scheduled.descriptions["relu"] == "generic" and scheduled.descriptions["conv"].startswith("conv2d ")
    for name in ("main", "pack"):
        assert scheduled.module[name].same_as(module[name])
    for name in ("relu", "conv"):
        assert scheduled.module[name].attrs["tirx.is_scheduled"]
        assert not tvm_ffi.structural_equal(scheduled.module[name], module[name])


def test_the_tiles_of_a_winograd_convolution_are_those_of_its_marked_size():
    workload = ConvWorkload(1, 16, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1))
    for m, tiles in ((2, 4), (4, 2)):
        anchor = find_anchor(Schedule(winograd(workload, NEON.layout, m)))
        assert (anchor.height, anchor.width, anchor.blocks) == (tiles, tiles, 4)


@pytest.mark.parametrize("channels, rows, loops", [(256, 1, 1), (256, 7, 3), (16, 1, 1), (16, 7, 0)])
def test_where_few_groups_of_rows_make_the_image_winograd_shares_out_each_of_its_parts(channels, rows, loops):
    """Not so where there is little work: the parts hand the whole image on."""
    workload = ConvWorkload(1, channels, 14, 14, channels, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(winograd(workload, NEON.layout))
    apply_tile(sch, find_anchor(sch), Tile(rows, 1, 2), vector_unit=NEON)
    assert parallel_loops(sch.mod["main"]) == loops
