"""Rules: which schedule a function gets, that every tile computes the same, and when threads are used."""

from dataclasses import replace

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import relax, te, topi
from tvm.s_tir import Schedule

from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import (
    apply_tile,
    candidates,
    schedule_function,
    schedule_module,
    vector_unit_named,
)
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Record, Records
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.scheduled import build
from tests.support.schedules.functions import binary_conv, float_conv, winograd
from tests.support.schedules.inputs import inputs_of, parallel_loops

SMALL = ConvWorkload(2, 40, 6, 4, 64, (3, 3), padding=(1, 1, 1, 1))
NEON = vector_unit_named("neon")


@pytest.mark.in_turn("target")
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
    pack = pack_signs((1, 4, 4, 8), (0, 0, 0, 0), word="uint8", pad_value=0)
    module["pack"], _ = schedule_function(pack, vector_unit=NEON, records=Records("neon"))
    scheduled = schedule_module(module, vector_unit=NEON, records=Records("neon"))
    assert set(scheduled.descriptions) == {"relu", "conv"}
    assert scheduled.descriptions["relu"] == "generic" and scheduled.descriptions["conv"].startswith("conv2d ")
    for name in ("main", "pack"):
        assert scheduled.module[name].same_as(module[name])
    for name in ("relu", "conv"):
        assert scheduled.module[name].attrs["tirx.is_scheduled"]
        assert not tvm_ffi.structural_equal(scheduled.module[name], module[name])
