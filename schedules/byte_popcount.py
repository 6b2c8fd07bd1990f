"""The binary convolution in bytes: short sums in uint8, widened before they can overflow.

    for n, o0, h0 (parallel) w0:
        for kh kw c:                                   at most 31 bytes each
            for i j: for h1 w1 o1 (unrolled), lane:    partial (uint8) += popcount(x xor w)
            for h1 w1 o1, lane:                        sum (uint16 or int32) += partial
        epilogue of the tile
"""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.schedules.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.tile import Tile

UNROLLED_UPDATES = 64  # xor, popcount, add triples in a straight line: of more, LLVM's scheduler spills the sums


def schedule_byte_popcount(
    sch: Schedule, anchor: SBlockRV, partial: SBlockRV, *, tile: Tile, lanes: int, parallel: bool
) -> None:
    """Schedule the blocks ``partial`` and ``bconv2d`` (bytes) and all that was fused behind them."""
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, kh, kw, c = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, o1, lane = sch.split(o, [None, tile.blocks, lanes])
    sch.reorder(n, o0, h0, w0, kh, kw, c, h1, w1, o1, lane)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=lanes)
    sch.set_scope(partial, 0, "local")
    sch.compute_at(partial, c, preserve_unit_loops=True)
    _, rows, columns, channels, *unit, i, j = sch.get_loops(partial)[7:]
    outer_channels, partial_lane = sch.split(channels, [None, lanes])
    sch.reorder(*unit, i, j, rows, columns, outer_channels, partial_lane)
    sch.vectorize(partial_lane)
    for loop in (rows, columns, outer_channels):
        sch.unroll(loop)
    if int(sch.get(j).extent) * tile.accumulators <= UNROLLED_UPDATES:
        sch.unroll(j)
    sch.vectorize(lane)
    for loop in (h1, w1, o1):
        sch.unroll(loop)
    outer = sch.fuse(n, o0, h0)
    if parallel:
        sch.parallel(outer)
    sch.decompose_reduction(anchor, kh)
    sch.decompose_reduction(partial, i)
