"""The depthwise convolution of 8-bit codes whose rows of pixels a micro-kernel sums.

for n, h, o0 (parallel) w0:
    micro-kernel:  sums of a row of pixels, of a few vectors of channels
    epilogue of the row
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import Window, window_of
from b2nn_tvm.ops.vector_layout import LEAST_LOAD, CodeLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import X86DepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.micro_kernel import put_kernel
from b2nn_tvm.schedules.templates.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.tiles.tile import Tile, divisors
from b2nn_tvm.schedules.tiles.window_tile import window_tile

MOST_BYTES = 24 << 10  # of words of columns, and of sums: together they stay in a first-level cache of 32 KiB or more
WORD = 4  # bytes of a word, and of a sum
MOST_VECTORS = 16  # of channels, whose loads and epilogue are unrolled


@dataclass(frozen=True)
class DepthwiseWindow:
    """The ``kernel`` (height, width) of a depthwise convolution, and how it moves over the image."""

    kernel: tuple[int, int]
    window: Window

    def columns(self, pixels: int) -> int:
        """The most columns of the image that a row of neighbouring pixels reads."""
        return (pixels - 1) * self.window.stride[1] + (self.kernel[1] - 1) * self.window.dilation[1] + 1


def depthwise_tiles(
    window: DepthwiseWindow, width: int, blocks: int, *, lanes: int, codes: CodeLayout
) -> tuple[Tile, ...]:
    """The rows of pixels worth measuring, the one with the least work for each sum first; none where even those of one
    pixel need too much scratch memory.
    """
    words = -(-window.kernel[0] // codes.taps)
    found = [
        Tile(1, columns, count)
        for columns in divisors(width)
        for count in divisors(blocks)
        if count * lanes * codes.size % LEAST_LOAD == 0
        and count <= MOST_VECTORS
        and (window.columns(columns) * words + columns) * count * lanes * WORD <= MOST_BYTES
    ]

    def work(tile: Tile) -> float:
        loads = _loads(tile.blocks * lanes * codes.size)
        return window.columns(tile.columns) / tile.columns * loads / tile.blocks

    return tuple(sorted(found, key=lambda tile: (work(tile), -tile.accumulators)))


def _loads(size: int) -> int:
    """The loads of 64, 32 or 16 bytes that take ``size`` bytes."""
    wide, rest = divmod(size, 4 * LEAST_LOAD)
    return wide + (rest // LEAST_LOAD).bit_count()


def schedule_depthwise(
    sch: Schedule,
    anchor: SBlockRV,
    kernel: type[X86DepthwiseKernel],
    *,
    tile: Tile,
    lanes: int,
    outer_loops: OuterLoops,
) -> None:
    """Schedule the block ``int8_depthwise_conv2d`` and all blocks that were fused behind it."""
    window = window_of(sch.get(anchor).annotations)
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, *taps = sch.get_loops(anchor)
    kernel_height, kernel_width = (int(sch.get(loop).extent) for loop in taps)
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, channels = sch.split(o, [None, tile.blocks * lanes])
    around = outer_loops.ordered(n, h, o0)
    sch.reorder(*around, w0, w1, channels, *taps)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=lanes, unroll_pixels=False)
    outer_loops.share(sch, around)
    block = sch.blockize(w1)
    image, _ = (read.source.ty for read in sch.get(block).reads)
    batch, height, width, pixel_codes = (int(extent) for extent in image.shape)
    size = WORD // kernel.taps  # bytes of a code
    geometry = window_tile(
        (batch, height, width, pixel_codes * size),
        (kernel_height, kernel_width),
        stride=window.stride,
        dilation=window.dilation,
        tile=tile,
        lanes=lanes,
        channel_bytes=tile.blocks * lanes * size,
    )
    put_kernel(sch, block, kernel(geometry))
