"""The 8-bit Winograd convolution whose rows of tiles a micro-kernel sums.

for n, h0, o0 (parallel) w0:
    micro-kernel:  sums of a few rows of pixels, of all or of many channels
    epilogue of these rows
"""

from __future__ import annotations

from math import log2

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import tile_size_of, window_of
from b2nn_tvm.schedules.micro_kernels.micro_kernel import put_kernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import X86WinogradKernel
from b2nn_tvm.schedules.templates.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.tiles.tile import Tile, divisors
from b2nn_tvm.schedules.tiles.window_tile import window_tile

KERNEL = (3, 3)
TILES = 10  # that share a load of weights near the core; more of them would leave the first-level cache
MOST_TILES = 64
NEAR_WEIGHTS = (
    36 << 15
)  # bytes that stay in a second-level cache; more are read for as many tiles at a time as there are
SHARES = 4  # of the filters, for threads, where a call takes the whole image
STRIDED_SHARES = 2  # each of which transforms the image, of more codes for a pixel


def int8_winograd_tiles(
    height: int, width: int, blocks: int, *, m: int, weights: int, strided: bool = False
) -> tuple[Tile, ...]:
    """The rows of tiles worth measuring for an output of height x width pixels, the default first; ``weights`` is the
    bytes of all filters. A call of a ``strided`` layer's micro-kernel transforms the weights, too, for all its tiles.
    """
    near = weights <= NEAR_WEIGHTS and not strided
    wanted = TILES if near else MOST_TILES
    found = [
        (-(-rows // m) * -(-columns // m), Tile(rows, columns, count))
        for rows in _sides(height, m)
        for columns in _sides(width, m)
        for count in divisors(blocks)
    ]
    most = max(MOST_TILES, min(number for number, _ in found))

    def order(each: tuple[int, Tile]) -> tuple[float, ...]:
        number, tile = each
        share = blocks if near or tile.rows < height else max(1, blocks // (STRIDED_SHARES if strided else SHARES))
        return abs(log2(number / wanted)), abs(log2(tile.blocks / share)), -tile.columns

    return tuple(tile for _, tile in sorted((each for each in found if each[0] <= most), key=order))


def _sides(extent: int, m: int) -> list[int]:
    """The rows (or columns) of pixels that a call may take: whole tiles, or all, of which the last tile has less."""
    return [side for side in divisors(extent) if side % m == 0 or side == extent]


def schedule_int8_winograd(
    sch: Schedule,
    anchor: SBlockRV,
    kernel: type[X86WinogradKernel],
    *,
    tile: Tile,
    lanes: int,
    outer_loops: OuterLoops,
) -> None:
    """Schedule the block ``int8_winograd_conv2d`` and all blocks that were fused behind it."""
    annotations = sch.get(anchor).annotations
    m, window = tile_size_of(annotations), window_of(annotations)
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, *reduction = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, channels = sch.split(o, [None, tile.blocks * lanes])
    around = outer_loops.ordered(n, h0, o0)
    sch.reorder(*around, w0, h1, w1, channels, *reduction)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=lanes, unroll_pixels=False)
    sch.set_scope(anchor, 0, "global")  # too much for the stack
    outer_loops.share(sch, around)
    block = sch.blockize(h1)
    image, _ = (read.source.ty for read in sch.get(block).reads)
    batch, height, width, codes = (int(extent) for extent in image.shape)
    geometry = window_tile(
        (batch, height, width, codes * kernel.code),
        KERNEL,
        stride=window.stride,
        dilation=window.dilation,
        tile=tile,
        lanes=lanes,
    )
    put_kernel(sch, block, kernel(geometry, m))
