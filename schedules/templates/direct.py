"""The direct convolution: one loop nest for float32 and for packed words.

    for n, h0, o0 (parallel) w0:         a tile of rows x columns pixels and ``blocks`` vectors of channels
        for kh kw c:                     sums stay in registers
            for h1 w1 o1 (unrolled), lane (vector):  sum += x (broadcast) * weight
        epilogue of the tile

Where the width is prime, the last tile of a row may have one column only: the loop over w0 is cut there, so that no
tile needs a condition.
"""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.schedules.templates.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.tiles.tile import Tile

CUT = "pragma_loop_partition_hint"  # of TVM's pass LoopPartition


def schedule_direct(sch: Schedule, anchor: SBlockRV, *, tile: Tile, lanes: int, outer_loops: OuterLoops) -> None:
    """Schedule the block ``conv2d`` or ``bconv2d`` (words) and all blocks that were fused behind it."""
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, *reduction = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, o1, lane = sch.split(o, [None, tile.blocks, lanes])
    if int(sch.get(anchor).iter_vars[2].dom.extent) % tile.columns:
        sch.annotate(w0, CUT, 1)
    around = outer_loops.ordered(n, h0, o0)
    sch.reorder(*around, w0, *reduction, h1, w1, o1, lane)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=lanes)
    sch.vectorize(lane)
    for loop in (h1, w1, o1):
        sch.unroll(loop)
    outer_loops.share(sch, around)
    sch.decompose_reduction(anchor, reduction[0])
