"""From unscheduled functions to loop nests: each function gets its schedule by its anchor and the instruction set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from b2nn_tvm.errors import TargetError
from b2nn_tvm.kernel_attrs import (
    Op,
    Role,
    role_of,
    tile_size_of,
)
from b2nn_tvm.schedules.anchor import Anchor, find_anchor, marked_blocks
from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel
from b2nn_tvm.schedules.templates.depthwise import depthwise_tiles, schedule_depthwise
from b2nn_tvm.schedules.templates.direct import schedule_direct
from b2nn_tvm.schedules.templates.epilogue import inline_epilogue
from b2nn_tvm.schedules.templates.expand import schedule_expand
from b2nn_tvm.schedules.templates.generic import schedule_generic
from b2nn_tvm.schedules.templates.int8_winograd import int8_winograd_tiles, schedule_int8_winograd
from b2nn_tvm.schedules.templates.lookup import schedule_lookup
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.templates.pack_signs import pack_signs_loops
from b2nn_tvm.schedules.templates.pool_bits import pool_bits_loops
from b2nn_tvm.schedules.templates.tiled_micro_kernel import schedule_kernel_tiles
from b2nn_tvm.schedules.templates.winograd import schedule_winograd
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.schedules.units.vector_unit import VectorUnit

# As PARALLEL_UPDATES, for the three parts of a Winograd convolution, each of which hands the whole image on.
PARALLEL_PARTS_UPDATES = 1 << 17
# The functions that are not scheduled step by step, but replaced by loops that were written by hand.
_WRITTEN = {Role.PACK_SIGNS: pack_signs_loops, Role.POOL_BITS: pool_bits_loops}
UNITS = ("neon", "neon_dotprod", "neon_armv7", "avx2", "avxvnni", "avx512", "avx512vpopcntdq")


def vector_unit_named(name: str) -> VectorUnit:
    """The vector unit of this name, from the file of the same name; raises TargetError where there is none."""
    if name not in UNITS:
        raise TargetError(f"no schedules for the vector unit {name!r}; there are {', '.join(UNITS)}")
    unit: VectorUnit = import_module(f"b2nn_tvm.schedules.units.{name}").UNIT
    return unit


@dataclass(frozen=True)
class Scheduled:
    """A module whose functions are loop nests, and for each function the words that tables show."""

    module: tvm.IRModule
    descriptions: Mapping[str, str] = field(default_factory=dict)


def schedule_module(module: tvm.IRModule, *, vector_unit: VectorUnit, records: Records) -> Scheduled:
    """Schedule every function that is not scheduled yet; Relax functions pass through."""
    functions, descriptions = dict(module.functions_items()), {}
    kernels = {name: function for name, function in functions.items() if _is_open(function)}
    schedules = {name: Schedule(function) for name, function in kernels.items()}
    anchors = {name: find_anchor(sch) for name, sch in schedules.items()}
    threads_running = any(anchor is not None and anchor.parallel for anchor in anchors.values())
    for name, sch in schedules.items():
        scheduled = _schedule(
            sch, anchors[name], vector_unit=vector_unit, records=records, threads_running=threads_running
        )
        functions[name], descriptions[name.name_hint] = scheduled
    return Scheduled(tvm.IRModule(functions, attrs=module.attrs), descriptions)


def _is_open(function: tvm.ir.BaseFunc) -> bool:
    return isinstance(function, tirx.PrimFunc) and "tirx.is_scheduled" not in (function.attrs or {})


def schedule_function(
    function: tirx.PrimFunc, *, vector_unit: VectorUnit, records: Records, threads_running: bool = False
) -> tuple[tirx.PrimFunc, str]:
    """One function, scheduled with its recorded tile or the default tile, and a description such as "direct 7x1x2",
    which is empty where nothing was chosen; ``threads_running``: threads run in the functions around it.
    """
    sch = Schedule(function)
    anchor = find_anchor(sch)
    return _schedule(sch, anchor, vector_unit=vector_unit, records=records, threads_running=threads_running)


def _schedule(
    sch: Schedule, anchor: Anchor | None, *, vector_unit: VectorUnit, records: Records, threads_running: bool
) -> tuple[tirx.PrimFunc, str]:
    """The same for the one function of ``sch``, which stays unchanged so far, and its anchor."""
    function = sch.mod["main"]
    role = role_of(function.attrs)
    if role is not None and (write_loops := _WRITTEN.get(role)) is not None:
        return write_loops(function).with_attr("tirx.is_scheduled", True), ""
    if Op.EXPAND_WEIGHTS in (marked := marked_blocks(sch)):
        schedule_expand(sch, marked)
        description = "expand"
    elif anchor is None:
        schedule_generic(sch, lanes=vector_unit.layout.float_lanes, threads_running=threads_running)
        description = "generic"
    else:
        tiles = candidates(anchor, vector_unit)
        recorded = records.tile(anchor.op, anchor.workload, anchor.lanes)
        recorded = recorded if recorded in tiles else None
        tile = recorded or tiles[0]
        apply_tile(sch, anchor, tile, vector_unit=vector_unit)
        description = f"{anchor.op} {tile.word} ({'tuned' if recorded else 'default'})"
    scheduled = sch.mod["main"].with_attr("tirx.is_scheduled", True)
    return scheduled, description


def candidates(anchor: Anchor, vector_unit: VectorUnit) -> tuple[Tile, ...]:
    """The tiles worth measuring for this anchor, the default first; where packing follows, only tiles that make whole
    words.
    """
    if found := _depthwise_tiles(anchor, vector_unit):
        return found
    if anchor.op is Op.INT8_WINOGRAD_CONV2D:
        found = int8_winograd_tiles(
            anchor.height,
            anchor.width,
            anchor.blocks,
            m=anchor.tile_size,
            weights=anchor.weights,
            strided=anchor.strided,
        )
        return tuple(tile for tile in found if tile.blocks * anchor.lanes % anchor.word_channels == 0)
    # schedule_direct, which sums float tiles without a micro-kernel, can cut off a leftover column
    allow_leftover_column = anchor.kind == "float" and _micro_kernel(anchor, vector_unit) is None
    found = vector_unit.candidates(
        anchor.kind,
        anchor.height,
        anchor.width,
        anchor.blocks,
        anchor.lanes,
        allow_leftover_column=allow_leftover_column,
    )
    found = tuple(
        tile for tile in found if tile.accumulators <= vector_unit.loop_sums or _summed_by(anchor, tile, vector_unit)
    )
    if anchor.kind == "winograd":
        return found
    if anchor.kind == "int8" and anchor.groups > 1:  # a tile reads the channels of one group
        found = tuple(tile for tile in found if anchor.blocks // anchor.groups % tile.blocks == 0)
    multiple = 2 if anchor.op is Op.BCONV2D_LOOKUP else 1  # rows are looked up in pairs
    found = tuple(
        tile for tile in found if tile.blocks * anchor.lanes % anchor.word_channels == 0 and tile.rows % multiple == 0
    )
    if anchor.op is Op.BCONV2D_BYTES:  # a micro-kernel repeats its code for each block
        return tuple(tile for tile in found if tile.blocks == min(other.blocks for other in found))
    return found


def apply_tile(sch: Schedule, anchor: Anchor, tile: Tile, *, vector_unit: VectorUnit) -> None:
    """Schedule the anchor and all blocks that were fused to it with this tile."""
    outer_loops = OuterLoops(rows_first=anchor.weights <= vector_unit.near_weights, parallel=anchor.parallel)
    kernel = _summed_by(anchor, tile, vector_unit)
    if anchor.op is Op.BCONV2D_LOOKUP:
        schedule_lookup(sch, marked_blocks(sch), tile=tile, lanes=anchor.lanes, outer_loops=outer_loops)
    elif anchor.op is Op.WINOGRAD_CONV2D:
        m = tile_size_of(sch.get(anchor.block).annotations)
        marked = marked_blocks(sch)
        epilogue = inline_epilogue(sch, marked[Op.WINOGRAD_HALF_OUTPUT])
        schedule_winograd(
            sch,
            marked,
            epilogue,
            kernel,
            m=m,
            tile=tile,
            lanes=anchor.lanes,
            parallel=anchor.parallel,
            parallel_parts=anchor.updates >= PARALLEL_PARTS_UPDATES,
        )
    elif anchor.op is Op.INT8_WINOGRAD_CONV2D:
        by_winograd = vector_unit.strided_winograd_codes if anchor.strided else vector_unit.winograd_codes
        if by_winograd is None:
            raise ValueError(f"the vector unit {vector_unit.name} has no Winograd form of 8-bit layers")
        schedule_int8_winograd(sch, anchor.block, by_winograd, tile=tile, lanes=anchor.lanes, outer_loops=outer_loops)
    elif vector_unit.depthwise is not None and tile in _depthwise_tiles(anchor, vector_unit):
        schedule_depthwise(
            sch, anchor.block, vector_unit.depthwise, tile=tile, lanes=anchor.lanes, outer_loops=outer_loops
        )
    elif kernel is not None:
        float_lanes = vector_unit.layout.float_lanes
        schedule_kernel_tiles(
            sch, anchor.block, kernel, tile=tile, lanes=anchor.lanes, float_lanes=float_lanes, outer_loops=outer_loops
        )
    else:
        schedule_direct(sch, anchor.block, tile=tile, lanes=anchor.lanes, outer_loops=outer_loops)


def _depthwise_tiles(anchor: Anchor, vector_unit: VectorUnit) -> tuple[Tile, ...]:
    """The tiles that a micro-kernel for depthwise layers sums; none where loops sum the anchor."""
    if anchor.depthwise is None or vector_unit.depthwise is None:
        return ()
    codes = vector_unit.layout.codes
    found = depthwise_tiles(anchor.depthwise, anchor.width, anchor.blocks, lanes=anchor.lanes, codes=codes)
    return tuple(tile for tile in found if tile.blocks * anchor.lanes % anchor.word_channels == 0)


def _summed_by(anchor: Anchor, tile: Tile, vector_unit: VectorUnit) -> type[MicroKernel] | None:
    """The assembly that sums a tile of the anchor; None where loops sum it: for single float pixels, loops are as
    good.
    """
    loops = anchor.op in (Op.CONV2D, Op.WINOGRAD_CONV2D) and tile.pixels == 1
    return None if loops else _micro_kernel(anchor, vector_unit)


def _micro_kernel(anchor: Anchor, vector_unit: VectorUnit) -> type[MicroKernel] | None:
    """The assembly that sums tiles of the anchor; None where the vector unit has none."""
    if anchor.op is Op.BCONV2D_BYTES:
        return vector_unit.popcount
    if anchor.op is Op.INT8_DEPTHWISE_CONV2D and anchor.lanes == vector_unit.layout.codes.depthwise:
        return (anchor.full_range and vector_unit.widen_each) or vector_unit.widen
    if anchor.kind == "int8":
        return (anchor.full_range and vector_unit.dot_full_range) or vector_unit.dot
    if (
        anchor.op not in (Op.CONV2D, Op.WINOGRAD_CONV2D)
        or anchor.groups > 1
        or anchor.lanes != vector_unit.layout.float_lanes
    ):
        return None
    return vector_unit.multiply
