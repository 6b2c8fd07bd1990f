"""Unscheduled functions as the lowering passes make them: each operator in a vector unit's layout, with an epilogue."""

from __future__ import annotations

from tvm import te, tirx, topi

from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.bit_layout import words_of
from b2nn_tvm.ops.conv2d import conv2d
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.ops.winograd_conv2d import padding_to_tiles, winograd_conv2d
from b2nn_tvm.workload import ConvWorkload


def binary_conv(workload: ConvWorkload, layout: VectorLayout) -> tirx.PrimFunc:
    """(packed x, packed weight, [table], scale, y): a binary convolution with one constant, scaled."""
    lanes = layout.binary_lanes(workload.out_channels)
    words = words_of(workload.in_channels, word=layout.word)
    blocks = -(-workload.out_channels // lanes)
    x = te.placeholder(_padded(workload, workload.padding, words), layout.word, name="x")
    weight = te.placeholder(
        (blocks, *workload.kernel, 2 * words if layout.lookup else words, lanes), layout.word, name="w"
    )
    table = [te.placeholder((256, lanes), "uint8", name="t")] if layout.lookup else []
    scale = te.placeholder((1, 1, 1, workload.out_channels), "float32", name="s")
    constant = workload.in_channels * workload.kernel[0] * workload.kernel[1]
    dot = bconv2d(x, weight, constant, workload=workload, table=table[0] if table else None)
    y = topi.multiply(topi.cast(dot, "float32"), scale)
    return te.create_prim_func([x, weight, *table, scale, y])


def float_conv(workload: ConvWorkload, layout: VectorLayout) -> tirx.PrimFunc:
    """(x, weight, y): a float convolution and ReLU."""
    lanes = layout.conv_lanes(workload.out_channels)
    blocks = -(-workload.out_channels // lanes)
    x = te.placeholder(_padded(workload, workload.padding, workload.in_channels), name="x")
    weight = te.placeholder((blocks, *workload.kernel, workload.in_channels // workload.groups, lanes), name="w")
    return te.create_prim_func([x, weight, topi.nn.relu(conv2d(x, weight, workload=workload))])


def winograd(workload: ConvWorkload, layout: VectorLayout, m: int = 2) -> tirx.PrimFunc:
    """(x, weight, y): a Winograd convolution and ReLU."""
    lanes = layout.conv_lanes(workload.out_channels)
    blocks = -(-workload.out_channels // lanes)
    x = te.placeholder(_padded(workload, padding_to_tiles(workload, m), workload.in_channels), name="x")
    weight = te.placeholder((m + 2, m + 2, blocks, workload.in_channels, lanes), name="w")
    return te.create_prim_func([x, weight, topi.nn.relu(winograd_conv2d(x, weight, workload=workload, m=m))])


def _padded(workload: ConvWorkload, padding: tuple[int, int, int, int], channels: int) -> tuple[int, int, int, int]:
    top, left, bottom, right = padding
    return (workload.batch, workload.in_height + top + bottom, workload.in_width + left + right, channels)
