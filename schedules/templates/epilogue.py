"""Move all blocks that follow an anchor into its tile: the epilogue, written once for all convolutions.

A fused function is anchor -> elementwise blocks -> output. The blocks between are inlined into the output block, and
the output block is computed for each tile while its sums are still in registers. Blocks that make another operand of
the output (an activation on the shortcut, for example) may stand in front of the anchor; they are inlined, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from b2nn_tvm.kernel_attrs import Op, op_of, packed_channels_of


@dataclass(frozen=True)
class Epilogue:
    """The blocks behind an anchor: the block that makes the float result, and the block that packs it, if there is one.

    ``word_channels`` is the number of channels in a packed word: a tile covers whole words.
    """

    output: SBlockRV
    pack: SBlockRV | None = None
    word_channels: int = 1


def inline_epilogue(sch: Schedule, anchor: SBlockRV) -> Epilogue:
    """Inline the blocks between the anchor and the output; where nothing follows, the output is a copy of the anchor's
    result.
    """
    blocks = list(sch.get_child_blocks(sch.get_sblock("root")))
    name = sch.get(anchor).name_hint
    position = next(i for i, block in enumerate(blocks) if sch.get(block).name_hint == name)
    following = blocks[position + 1 :]
    for block in blocks[:position]:
        if op_of(sch.get(block).annotations) is None:  # the anchor's own blocks are marked
            sch.compute_inline(block)
    pack, word_channels = None, word_channels_of(sch)
    if word_channels > 1:
        pack = following.pop()
    if not following:
        return Epilogue(sch.cache_write(anchor, 0, "local"), pack, word_channels)
    *between, output = following
    for block in between:
        sch.compute_inline(block)
    sch.set_scope(anchor, 0, "local")
    return Epilogue(output, pack, word_channels)


def word_channels_of(sch: Schedule) -> int:
    """The number of channels in a packed word where the function ends with packing, else 1."""
    annotations = sch.get(list(sch.get_child_blocks(sch.get_sblock("root")))[-1]).annotations
    return packed_channels_of(annotations) if op_of(annotations) is Op.PACK_INTERIOR else 1


def attach_epilogue(
    sch: Schedule, epilogue: Epilogue, at: LoopRV, *, depth: int, lanes: int, unroll_pixels: bool = True
) -> None:
    """Compute the output block at loop ``at`` (the ``depth``-th), its channels in vectors of ``lanes``, the other loops
    unrolled, those over pixels if ``unroll_pixels`` says so; then pack its result.
    """
    sch.reverse_compute_at(epilogue.output, at, preserve_unit_loops=True)
    attach_pack(sch, epilogue, at, depth=depth, unroll_pixels=unroll_pixels)
    *pixels, channels = sch.get_loops(epilogue.output)[depth:]
    outer, lane = sch.split(channels, [None, lanes])
    sch.vectorize(lane)
    for loop in (*pixels, outer) if unroll_pixels else (outer,):
        sch.unroll(loop)


def attach_pack(sch: Schedule, epilogue: Epilogue, at: LoopRV, *, depth: int, unroll_pixels: bool = True) -> None:
    """Pack the tile that the output block just made; a result that nothing else reads stays in registers or on the
    stack. The loops are unrolled, those over pixels if ``unroll_pixels`` says so.
    """
    if epilogue.pack is None:
        return
    sch.reverse_compute_at(epilogue.pack, at, preserve_unit_loops=True)
    *pixels, words = sch.get_loops(epilogue.pack)[depth:]
    for loop in (*pixels, words) if unroll_pixels else (words,):
        sch.unroll(loop)
    written = sch.get(epilogue.output).writes[0].source
    if not any(written.same_as(parameter) for parameter in sch.mod["main"].params):
        sch.set_scope(epilogue.output, 0, "local")
