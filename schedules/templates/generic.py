"""The schedule of all functions without a convolution: elementwise chains, pooling, reductions, softmax.

Blocks that can be inlined are inlined. In each remaining block the channels (the last axis) run in vectors, reductions
run inside the spatial loops and outside the vector, and the outer loops run in parallel where there is work for a
second thread.
"""

from __future__ import annotations

from math import prod

from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import IterVar

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
    *outer, last = spatial
    extent = int(sch.get(last).extent)
    width = next((size for size in (lanes, lanes // 2, lanes // 4) if size > 1 and extent % size == 0), 1)
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


def _is_reduction(sch: Schedule, block: SBlockRV) -> bool:
    return sch.get(block).init is not None


def _is_output(sch: Schedule, block: SBlockRV) -> bool:
    parameters = list(sch.mod["main"].params)
    return any(region.source.same_as(parameter) for region in sch.get(block).writes for parameter in parameters)
