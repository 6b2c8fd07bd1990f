"""Moving everything that follows an anchor into its tile: written once for all convolutions.

A fused function is anchor -> elementwise blocks -> output. The blocks between are inlined into the output block, and
that one is computed for each tile while its sums are still in registers.
"""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV


def inline_epilogue(sch: Schedule, anchor: SBlockRV) -> SBlockRV:
    """Inline the blocks behind the anchor; returns the output block (a copy of the anchor's result where nothing follows)."""
    blocks = sch.get_child_blocks(sch.get_sblock("root"))
    name = sch.get(anchor).name_hint
    position = next(i for i, block in enumerate(blocks) if sch.get(block).name_hint == name)
    following = blocks[position + 1 :]
    if not following:
        return sch.cache_write(anchor, 0, "local")
    for block in following[:-1]:
        sch.compute_inline(block)
    sch.set_scope(anchor, 0, "local")
    return following[-1]


def attach_epilogue(sch: Schedule, output: SBlockRV, at: LoopRV, *, depth: int, lanes: int) -> None:
    """Compute the output block at loop ``at`` (the ``depth``-th), its channels in vectors of ``lanes``, the rest unrolled."""
    sch.reverse_compute_at(output, at, preserve_unit_loops=True)
    *pixels, channels = sch.get_loops(output)[depth:]
    outer, lane = sch.split(channels, [None, lanes])
    sch.vectorize(lane)
    for loop in (*pixels, outer):
        sch.unroll(loop)
