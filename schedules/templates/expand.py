"""The expansion of packed weights: see ops/expand_weights.py for the computation.

    for o kh kw (parallel), c: lane (vector):  weight = sign                                          direct
    for o c0 (parallel):                       a run of weights that stays in the first-level cache   Winograd
        for c1: s i (unrolled), lane (vector): half = G signs
        for i: j (unrolled): c1, lane (vector): weight = half G^T

Each of the (m + 2)^2 parts of a Winograd filter gets a whole run at a time: the parts lie a power of two apart, and a
cache set holds fewer lines than there are parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from b2nn_tvm.kernel_attrs import Op
from b2nn_tvm.schedules.tiles.tile import divisors

RUN = 256  # weights: the twelve halves of 256 3x3 filters are 12 KiB
PARALLEL_WEIGHTS = 1 << 16  # below, waking a second thread costs more than it saves


def schedule_expand(sch: Schedule, blocks: Mapping[Op, SBlockRV]) -> None:
    """Schedule the blocks of an expansion by their marks."""
    weight, half = blocks[Op.EXPAND_WEIGHTS], blocks.get(Op.EXPAND_HALF_WEIGHTS)
    loops = sch.get_loops(weight)
    parallel = prod(int(sch.get(loop).extent) for loop in loops) >= PARALLEL_WEIGHTS
    outer = _direct(sch, *loops) if half is None else _winograd(sch, weight, half)
    if parallel:
        sch.parallel(outer)


def _direct(sch: Schedule, o: LoopRV, kh: LoopRV, kw: LoopRV, _c: LoopRV, lane: LoopRV) -> LoopRV:
    sch.vectorize(lane)
    return sch.fuse(o, kh, kw)


def _winograd(sch: Schedule, weight: SBlockRV, half: SBlockRV) -> LoopRV:
    i, j, o, c, lane = sch.get_loops(weight)
    channels, lanes = int(sch.get(c).extent), int(sch.get(lane).extent)
    c0, c1 = sch.split(c, [None, max(n for n in divisors(channels) if n == 1 or n * lanes <= RUN)])
    sch.reorder(o, c0, i, j, c1, lane)
    outer = sch.fuse(o, c0)
    sch.compute_at(half, outer, preserve_unit_loops=True)
    sch.set_scope(half, 0, "local")
    _, half_i, half_s, half_o, half_c, half_lane = sch.get_loops(half)
    sch.reorder(half_o, half_c, half_s, half_i, half_lane)
    for vector in (lane, half_lane):
        sch.vectorize(vector)
    for loop in (j, half_s, half_i):
        sch.unroll(loop)
    return outer
