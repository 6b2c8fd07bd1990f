"""The schedule of all functions without a convolution: elementwise chains, pooling, reductions, softmax.

Blocks that can be inlined are inlined. In each remaining block the channels (the last axis) run in vectors, reductions
run inside the spatial loops and outside the vector, and the outer loops run in parallel where there is work for a
second thread.

Where few channels are read from planes, an image in NCHW, the columns of an image run in vectors, plane by plane, and
the results of the planes are brought in order in registers.
"""

from __future__ import annotations

from math import prod

import tvm
from tvm import tirx
from tvm.s_tir import SBlock, Schedule, ScheduleError
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import BufferLoad, BufferStore, Expr, IterVar, Ramp, Shuffle, Var
from tvm.tirx.analysis import undefined_vars

PARALLEL_ELEMENTS = 1 << 16  # elements read or written; below, waking a thread costs more than it saves
# the same where threads are awake: a result that one thread computes alone the others must fetch from its cache
ELEMENTS_WITH_THREADS_RUNNING = 1 << 13


def schedule_generic(sch: Schedule, *, lanes: int, threads_running: bool) -> None:
    """Schedule every block of the function; ``threads_running``: threads run in the functions around it."""
    parallel_elements = ELEMENTS_WITH_THREADS_RUNNING if threads_running else PARALLEL_ELEMENTS
    root = sch.get_sblock("root")
    for block in sch.get_child_blocks(root)[:-1]:
        if not _is_reduction(sch, block) and not _is_output(sch, block):
            _inline(sch, block)
    for block in sch.get_child_blocks(root):
        _schedule_block(sch, block, lanes, parallel_elements)


def _inline(sch: Schedule, block: SBlockRV) -> None:
    """Inline the block into its readers; a block that cannot be inlined (into an opaque reader, say) keeps its own
    loops.
    """
    try:
        sch.compute_inline(block)
    except ScheduleError:
        return


def _schedule_block(sch: Schedule, block: SBlockRV, lanes: int, parallel_elements: int) -> None:
    kinds = [var.iter_type for var in sch.get(block).iter_vars]
    loops = sch.get_loops(block)
    if not loops or len(loops) != len(kinds):
        return
    spatial = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == IterVar.DataPar]
    reduction = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == IterVar.CommReduce]
    if len(spatial) + len(reduction) != len(loops) or not spatial:
        return
    elements = prod(int(sch.get(loop).extent) for loop in loops)
    if not reduction and _reads_planes(sch, block, lanes):
        outer = _schedule_planes(sch, block, lanes)
        if elements >= parallel_elements:
            sch.parallel(sch.fuse(*outer))
        return
    *outer, last = spatial
    extent = int(sch.get(last).extent)
    width = next((size for size in _widths(sch, block, lanes) if size > 1 and extent % size == 0), 1)
    if width > 1:
        last_outer, lane = sch.split(last, [None, width])
        outer.append(last_outer)
        sch.reorder(*outer, *reduction, lane)
        sch.vectorize(lane)
    else:
        outer.append(last)
        sch.reorder(*outer, *reduction)
    if elements >= parallel_elements:
        sch.parallel(sch.fuse(*outer[:-1]) if len(outer) > 1 else outer[0])
    if reduction:
        sch.decompose_reduction(block, reduction[0])


def _widths(sch: Schedule, block: SBlockRV, lanes: int) -> list[int]:
    """The lanes of a vector of what the block reads and writes, where ``lanes`` are those of floats: first those that
    fill registers, down to a quarter of ``lanes``.
    """
    touched = sch.get(block)
    kinds = (str(region.source.dtype) for region in (*touched.reads, *touched.writes))
    widest = max((tvm.runtime.DataType(kind).itemsize for kind in kinds), default=4)
    most = lanes * max(1, 4 // int(widest))
    return [most >> step for step in range(most.bit_length()) if most >> step >= lanes // 4]


def _reads_planes(sch: Schedule, block: SBlockRV, lanes: int) -> bool:
    """Whether the last axis is short, and selects planes of what is read, whose columns fill vectors."""
    extents = [int(sch.get(loop).extent) for loop in sch.get_loops(block)]
    if len(extents) < 3 or not 1 < extents[-1] < lanes or extents[-2] % lanes or not _is_output(sch, block):
        return False
    *_, column, channel = (axis.var for axis in sch.get(block).iter_vars)
    mins = ([axis.min for axis in region.region] for region in sch.get(block).reads)
    by_channel = [at for at in mins if any(_has(index, channel) for index in at)]
    return bool(by_channel) and all(not _has(at[-1], channel) and _has(at[-1], column) for at in by_channel)


def _has(index: Expr, var: Var) -> bool:
    return any(found.same_as(var) for found in undefined_vars(index, []))


def _schedule_planes(sch: Schedule, block: SBlockRV, lanes: int) -> list[LoopRV]:
    """Compute a vector of columns of each plane, and then store all of them; the loops outside of the columns."""
    stored = sch.cache_write(block, 0, "local")
    sch.transform_layout(block, ("write", 0), lambda *at: (*at[:-2], at[-1], at[-2]))
    *outer, columns, _ = sch.get_loops(stored)
    columns_outer, lane = sch.split(columns, [None, lanes])
    sch.compute_at(block, columns_outer, preserve_unit_loops=True)
    column, channel = sch.get_loops(block)[-2:]
    sch.reorder(channel, column)
    sch.unroll(channel)
    sch.vectorize(column)
    _interleave(sch, sch.blockize(lane))
    return list(outer)


def _interleave(sch: Schedule, block: SBlockRV) -> None:
    """Put one store of a shuffled vector in place of ``block``, which copies columns of planes [..., C, W] to [..., W,
    C]: LLVM makes many shuffles of the loops.
    """
    old = sch.get(block)
    (read,), (write,) = old.reads, old.writes
    columns, channels = (int(axis.extent) for axis in write.region[-2:])
    *around, plane, column = (axis.min for axis in read.region)
    zero, one = (tirx.const(number, str(column.ty.dtype)) for number in range(2))
    planes = [BufferLoad(read.source, [*around, plane + c, Ramp(column, one, columns)]) for c in range(channels)]
    order = [c * columns + w for w in range(columns) for c in range(channels)]
    at = [axis.min for axis in write.region[:-1]]
    pixels = Ramp(zero, one, columns * channels)
    new = SBlock(
        old.iter_vars,
        old.reads,
        old.writes,
        old.name_hint,
        BufferStore(write.source, Shuffle(planes, order), [*at, pixels]),
    )
    sch.state.replace(sch.get_sref(block), new, {old: new})


def _is_reduction(sch: Schedule, block: SBlockRV) -> bool:
    return sch.get(block).init is not None


def _is_output(sch: Schedule, block: SBlockRV) -> bool:
    parameters = list(sch.mod["main"].params)
    return any(region.source.same_as(parameter) for region in sch.get(block).writes for parameter in parameters)
