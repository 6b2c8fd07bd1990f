"""From unscheduled functions to loop nests: each gets a schedule of ours, by its anchor and the instruction set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import prod

import tvm
from tvm import tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.errors import TargetError
from b2nn_tvm.ops.anchor import OP, WORKLOAD
from b2nn_tvm.ops.expand_weights import EXPANDED, HALF
from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel
from b2nn_tvm.schedules.micro_kernels.popcount_kernel import VECTOR
from b2nn_tvm.schedules.templates.direct import schedule_direct
from b2nn_tvm.schedules.templates.epilogue import inline_epilogue, word_channels_of
from b2nn_tvm.schedules.templates.expand import schedule_expand
from b2nn_tvm.schedules.templates.generic import schedule_generic
from b2nn_tvm.schedules.templates.lookup import schedule_lookup
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.templates.tiled_micro_kernel import schedule_kernel_tiles
from b2nn_tvm.schedules.templates.winograd import schedule_winograd
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.schedules.units.vector_unit import VectorUnit

# Vector operations of a kernel below which waking a second thread costs more than it saves: 5 to 10 us, two a cycle in
# the tiles of a float convolution and one or fewer elsewhere.
PARALLEL_UPDATES, PARALLEL_FLOAT_UPDATES = 1 << 14, 1 << 15
# the same for the three parts of a Winograd convolution, which hand the whole image on
PARALLEL_PARTS_UPDATES = 1 << 17
HELPERS = (
    "bconv2d_pairs",
    "bconv2d_lookups",
    "bconv2d_short",
    "winograd_half_input",
    "winograd_input",
    "winograd_half_output",
    "pack_interior",
    EXPANDED,
    HALF,
)
UNITS = ("neon", "neon_armv7", "avx2", "avx512", "avx512vpopcntdq")


def vector_unit_named(name: str) -> VectorUnit:
    """The vector unit of this name, from the file of the same name."""
    if name not in UNITS:
        raise TargetError(f"no schedules for the vector unit {name!r}; there are {', '.join(UNITS)}")
    return import_module(f"b2nn_tvm.schedules.units.{name}").UNIT


@dataclass(frozen=True)
class Anchor:
    """The convolution block of a function: its operator, workload key, vector width and the output it tiles.

    ``height`` x ``width`` are output pixels, or tiles of a Winograd convolution; ``updates`` are vector operations,
    ``weights`` bytes.
    """

    block: SBlockRV
    op: str
    workload: str
    lanes: int
    height: int
    width: int
    blocks: int
    updates: int
    weights: int
    word_channels: int = 1
    groups: int = 1

    @property
    def kind(self) -> str:
        """Which of the vector unit's register budgets applies: "float", "binary" or "winograd"."""
        return {"winograd_conv2d": "winograd"}.get(self.op, "binary" if self.op.startswith("bconv2d_") else "float")

    @property
    def parallel(self) -> bool:
        """Whether there is work for a second thread."""
        return self.updates >= (PARALLEL_FLOAT_UPDATES if self.op == "conv2d" else PARALLEL_UPDATES)


@dataclass(frozen=True)
class Scheduled:
    """A module whose functions are loop nests, and for each function the words that tables show."""

    module: tvm.IRModule
    descriptions: Mapping[str, str] = field(default_factory=dict)


def schedule_module(module: tvm.IRModule, *, vector_unit: VectorUnit, records: Records) -> Scheduled:
    """Schedule every function that is not scheduled yet; Relax functions pass through."""
    functions, descriptions = dict(module.functions_items()), {}
    kernels = {name: function for name, function in functions.items() if _is_open(function)}
    anchors = [find_anchor(Schedule(function)) for function in kernels.values()]
    threads_running = any(anchor is not None and anchor.parallel for anchor in anchors)
    for name, function in kernels.items():
        scheduled = schedule_function(
            function, vector_unit=vector_unit, records=records, threads_running=threads_running
        )
        functions[name], descriptions[name.name_hint] = scheduled
    return Scheduled(tvm.IRModule(functions, attrs=module.attrs), descriptions)


def _is_open(function: tvm.ir.BaseFunc) -> bool:
    return isinstance(function, tirx.PrimFunc) and "tirx.is_scheduled" not in (function.attrs or {})


def schedule_function(
    function: tirx.PrimFunc, *, vector_unit: VectorUnit, records: Records, threads_running: bool = False
) -> tuple[tirx.PrimFunc, str]:
    """One function scheduled with its recorded tile, or the default one, and a description such as "direct 7x1x2";
    ``threads_running``: threads run in functions beside it.
    """
    sch = Schedule(function)
    anchor = find_anchor(sch)
    if EXPANDED in (marked := _marked(sch)):
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
    """The tiles worth measuring for this anchor, the default first: where it ends with packing, those that make
    whole words.
    """
    # so schedule_direct, which takes those
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
    multiple = 2 if anchor.op == "bconv2d_lookup" else 1  # rows are looked up in pairs
    found = tuple(
        tile for tile in found if tile.blocks * anchor.lanes % anchor.word_channels == 0 and tile.rows % multiple == 0
    )
    if anchor.op == "bconv2d_bytes":  # a micro-kernel repeats its code for each block
        return tuple(tile for tile in found if tile.blocks == min(other.blocks for other in found))
    return found


def apply_tile(sch: Schedule, anchor: Anchor, tile: Tile, *, vector_unit: VectorUnit) -> None:
    """Schedule the anchor and all that was fused to it with this tile of a vector unit's."""
    outer_loops = OuterLoops(rows_first=anchor.weights <= vector_unit.near_weights, parallel=anchor.parallel)
    kernel = _summed_by(anchor, tile, vector_unit)
    if anchor.op == "bconv2d_lookup":
        schedule_lookup(sch, _marked(sch), tile=tile, lanes=anchor.lanes, outer_loops=outer_loops)
    elif anchor.op == "winograd_conv2d":
        m = int(sch.get(anchor.block).annotations["b2nn.m"])
        marked = _marked(sch)
        epilogue = inline_epilogue(sch, marked["winograd_half_output"])
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
    elif kernel is not None:
        float_lanes = vector_unit.layout.float_lanes
        schedule_kernel_tiles(
            sch, anchor.block, kernel, tile=tile, lanes=anchor.lanes, float_lanes=float_lanes, outer_loops=outer_loops
        )
    else:
        schedule_direct(sch, anchor.block, tile=tile, lanes=anchor.lanes, outer_loops=outer_loops)


def _summed_by(anchor: Anchor, tile: Tile, vector_unit: VectorUnit) -> type[MicroKernel] | None:
    """The assembly that sums a tile of the anchor; None where loops do: of single float pixels they are as good."""
    return None if anchor.kind != "binary" and tile.pixels == 1 else _micro_kernel(anchor, vector_unit)


def _micro_kernel(anchor: Anchor, vector_unit: VectorUnit) -> type[MicroKernel] | None:
    """The assembly that sums tiles of the anchor, where the vector unit has such."""
    if anchor.op == "bconv2d_bytes":
        return vector_unit.popcount
    if (
        anchor.op not in ("conv2d", "winograd_conv2d")
        or anchor.groups > 1
        or anchor.lanes != vector_unit.layout.float_lanes
    ):
        return None
    return vector_unit.multiply


def find_anchor(sch: Schedule) -> Anchor | None:
    """The block that carries the mark of a convolution, or None."""
    marked = _marked(sch)
    for op, block in marked.items():
        if op in HELPERS:
            continue
        lanes = int(sch.get(block).annotations["b2nn.lanes"])
        extents = _extents(sch, block)
        counted = marked.get("bconv2d_lookups", block)  # the block of the innermost loop
        updates = prod(_extents(sch, counted)) // (VECTOR if op == "bconv2d_bytes" else lanes)
        weights = _weights(sch, counted)
        outputs = extents[5 if op == "winograd_conv2d" else 3]
        workload = _annotation(sch, block, WORKLOAD)
        groups = int(sch.get(block).annotations.get("b2nn.groups", 1))
        return Anchor(
            block,
            op,
            workload,
            lanes,
            extents[1],
            extents[2],
            outputs // lanes,
            updates,
            weights,
            word_channels_of(sch),
            groups,
        )
    return None


def _weights(sch: Schedule, block: SBlockRV) -> int:
    """The bytes of what the block reads last of the function's parameters: an image stands before it or was made
    inside.
    """
    parameters = list(sch.mod["main"].params)
    sources = (read.source for read in sch.get(block).reads)
    *_, weights = (source for source in sources if any(source.same_as(parameter) for parameter in parameters))
    return prod(map(int, weights.shape)) * tvm.runtime.DataType(str(weights.dtype)).itemsize


def _extents(sch: Schedule, block: SBlockRV) -> list[int]:
    return [int(sch.get(loop).extent) for loop in sch.get_loops(block)]


def _marked(sch: Schedule) -> dict[str, SBlockRV]:
    """The blocks with a mark, by operator."""
    blocks = sch.get_child_blocks(sch.get_sblock("root"))
    return {op: block for block in blocks if (op := _annotation(sch, block, OP)) is not None}


def _annotation(sch: Schedule, block: SBlockRV, key: str) -> str | None:
    value = sch.get(block).annotations.get(key)
    return None if value is None else str(getattr(value, "value", value))
