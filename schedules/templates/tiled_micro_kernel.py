"""The convolution whose tiles a micro-kernel sums: TVM's loops stand around it, and its epilogue behind it.

for n, h0, o0 (parallel) w0:
    micro-kernel:  sums of the tile
    epilogue of the tile
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from b2nn_tvm.kernel_attrs import Op, groups_of, op_of, window_of
from b2nn_tvm.relax_query import pair
from b2nn_tvm.schedules.micro_kernels.dot_x86 import X86DotKernel
from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel, put_kernel
from b2nn_tvm.schedules.templates.epilogue import attach_epilogue, inline_epilogue
from b2nn_tvm.schedules.templates.outer_loops import OuterLoops
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile


def schedule_kernel_tiles(
    sch: Schedule,
    anchor: SBlockRV,
    kernel: type[MicroKernel],
    *,
    tile: Tile,
    lanes: int,
    float_lanes: int,
    outer_loops: OuterLoops,
) -> None:
    """Schedule the block ``conv2d`` or ``bconv2d`` (bytes) and all blocks that were fused behind it."""
    annotations = sch.get(anchor).annotations
    window, groups = window_of(annotations), groups_of(annotations)
    depthwise = op_of(annotations) is Op.INT8_DEPTHWISE_CONV2D
    epilogue = inline_epilogue(sch, anchor)
    n, h, w, o, *reduction = sch.get_loops(anchor)
    h0, h1 = sch.split(h, [None, tile.rows])
    w0, w1 = sch.split(w, [None, tile.columns])
    o0, o1, lane = sch.split(o, [None, tile.blocks, lanes])
    around = outer_loops.ordered(n, h0, o0)
    sch.reorder(*around, w0, h1, w1, o1, lane, *reduction)
    attach_epilogue(sch, epilogue, w0, depth=4, lanes=float_lanes)
    down, across = (int(sch.get(loop).extent) for loop in (h0, w0))
    outer_loops.share(sch, around)
    block = sch.blockize(h1)
    image, weights = (read.source.ty for read in sch.get(block).reads)
    batch, height, width, channels = (int(extent) for extent in image.shape)
    pixel_bytes = channels * tvm.runtime.DataType(str(image.dtype)).bits // 8
    taps = pair(weights.shape[1:3])
    if depthwise:
        taps, pixel_part = taps[::-1], 1
    elif groups > 1:
        pixel_part = pixel_bytes // groups
    else:
        pixel_part = _joined_bytes(weights, image) if op_of(annotations) is Op.INT8_CONV2D else 0
    geometry = window_tile(
        (batch, height, width, pixel_bytes),
        taps,
        stride=window.stride,
        dilation=window.dilation,
        tile=tile,
        lanes=lanes,
        channel_bytes=pixel_part,
    )
    if outer_loops.rows_first or down * across == 1 or not issubclass(kernel, X86DotKernel):
        put_kernel(sch, block, kernel(geometry))
        return
    _, row, column, _ = (axis.min for axis in sch.get(block).writes[0].region)
    number = row // tile.rows * across + column // tile.columns
    put_kernel(sch, block, kernel(geometry, down * across), number=number)


def _joined_bytes(weights: tirx.Buffer, image: tirx.Buffer) -> int:
    """The bytes that a row of a window reads, where the taps of a kernel row are joined, else 0: then the words of its
    one column hold more codes than a pixel has.
    """
    words, _, run = (int(extent) for extent in weights.shape[3:])
    channels = int(image.shape[3])
    return words * run * (tvm.runtime.DataType(str(image.dtype)).bits // 8) if words * run > channels else 0
