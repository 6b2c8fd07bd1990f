"""The binary convolution by table look-up: see ops/bconv2d_lookup.py for the sums.

pairs of all rows
for n, h0, o0 (parallel) w0:
    for kh kw c:
        for f:                                          at most 21 look-ups
            for h1/2 w1, i, o1 (unrolled), lane:        lookups (uint8) += shuffle(table[pair], w)
            for h1/2 w1 o1 half, lane:                  short (uint8) += lookups
        for h1 w1 o1, lane:                             sum (uint16 or int32) += short
    epilogue of the tile
"""

from __future__ import annotations

from collections.abc import Mapping

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import Op
from b2nn_tvm.schedules.templates.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.tiles.tile import Tile


def schedule_lookup(
    sch: Schedule, blocks: Mapping[Op, SBlockRV], *, tile: Tile, lanes: int, outer_loops: OuterLoops
) -> None:
    """Schedule the blocks of a look-up convolution by their marks, and all blocks that were fused behind them.

    ``tile.rows`` is even: the two rows of a pair are counted together.
    """
    anchor, short, lookups = (blocks[op] for op in (Op.BCONV2D_LOOKUP, Op.BCONV2D_SHORT, Op.BCONV2D_LOOKUPS))
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, kh, kw, c = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, o1, lane = sch.split(o, [None, tile.blocks, lanes])
    around = outer_loops.ordered(n, h0, o0)
    sch.reorder(*around, w0, kh, kw, c, h1, w1, o1, lane)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=lanes)

    sch.set_scope(short, 0, "local")
    sch.compute_at(short, c, preserve_unit_loops=True)
    _, rows, columns, *unit, half, channels, f = sch.get_loops(short)[7:]
    outer, short_lane = sch.split(channels, [None, lanes])
    sch.reorder(*unit, f, rows, columns, outer, half, short_lane)

    sch.set_scope(lookups, 0, "local")
    sch.compute_at(lookups, columns, preserve_unit_loops=True)
    channels, i = sch.get_loops(lookups)[-2:]
    lookups_outer, lookups_lane = sch.split(channels, [None, lanes])
    sch.reorder(i, lookups_outer, lookups_lane)
    sch.vectorize(short_lane)
    sch.vectorize(lookups_lane)
    for loop in (rows, columns, outer, half, i, lookups_outer):
        sch.unroll(loop)

    sch.vectorize(lane)
    for loop in (h1, w1, o1):
        sch.unroll(loop)
    outer_loops.share(sch, around)
    sch.decompose_reduction(anchor, kh)
    sch.decompose_reduction(short, f)
    sch.decompose_reduction(lookups, i)
    _schedule_pairs(sch, blocks[Op.BCONV2D_PAIRS], lanes)


def _schedule_pairs(sch: Schedule, pairs: SBlockRV, lanes: int) -> None:
    """Schedule the low nibbles of a pixel, then the high ones, in vectors where the nibbles fill vectors."""
    *_, nibbles = sch.get_loops(pairs)
    size = int(sch.get(nibbles).extent) // 2
    vector = next((count for count in (lanes, 32, 16, 8) if size % count == 0), 1)
    half, _, lane = sch.split(nibbles, [2, None, vector])
    sch.unroll(half)
    sch.vectorize(lane)
