"""8-bit convolutions as the lowering makes them, on random codes, and what their sums have to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import te, tirx

from b2nn_tvm.ops.int8_conv2d import (
    fits_winograd,
    int8_conv2d,
    int8_depthwise_conv2d,
    int8_strided_winograd_conv2d,
    int8_winograd_conv2d,
    pack_depthwise_weights,
    pack_int8_weights,
    pack_winograd_weights,
)
from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.ops.winograd_conv2d import padding_to_tiles
from b2nn_tvm.passes.lower.join_taps import columns_read, join_taps, joins_taps
from b2nn_tvm.reference.int8 import int8_conv2d as reference
from b2nn_tvm.workload import ConvWorkload


def is_depthwise(workload: ConvWorkload) -> bool:
    return workload.groups == workload.in_channels == workload.out_channels > 1


def code_layout(workload: ConvWorkload, layout: VectorLayout) -> tuple[CodeLayout, int, int]:
    """The layout of the codes, the lanes, and of which number the channels are a multiple: groups have to fill vectors
    and words, or they are computed by single codes and a divisor of a group's outputs.
    """
    codes, lanes = layout.codes, layout.float_lanes
    if is_depthwise(workload):
        return codes, layout.depthwise_lanes(workload.out_channels), layout.depthwise_channels
    outputs, channels = workload.out_channels // workload.groups, workload.in_channels // workload.groups
    if joins_taps(workload, codes.run):
        return codes, lanes, 1
    if workload.groups == 1 or (outputs % lanes == 0 and channels % codes.run == 0):
        return codes, lanes, codes.run
    return CodeLayout(codes.dtype, 1), layout.group_lanes(outputs), 1


def int8_conv(workload: ConvWorkload, layout: VectorLayout, *, full_range: bool = False) -> tirx.PrimFunc:
    """(x, weight, y): the sums of an 8-bit convolution."""
    codes, lanes, multiple = code_layout(workload, layout)
    top, left, bottom, right = workload.padding
    channels = -(-workload.in_channels // multiple) * multiple
    width = workload.in_width + left + right + _missing_columns(workload, codes)
    shape = (workload.batch, workload.in_height + top + bottom, width, channels)
    x = te.placeholder(shape, codes.dtype, name="x")
    if is_depthwise(workload):
        heights = -(-workload.kernel[0] // codes.taps)
        packed = (channels // lanes, workload.kernel[1], heights, lanes, codes.taps)
        weight = te.placeholder(packed, layout.depthwise_weights(workload.out_channels), name="w")
        return te.create_prim_func(
            [x, weight, int8_depthwise_conv2d(x, weight, workload=workload, full_range=full_range)]
        )
    blocks, per_group = -(-workload.out_channels // lanes), channels // workload.groups
    packed = (blocks, *workload.kernel, per_group // codes.run, lanes, codes.run)
    if joins_taps(workload, codes.run):
        words = -(-workload.kernel[1] * channels // codes.run)
        packed = (blocks, workload.kernel[0], 1, words, lanes, codes.run)
    weight = te.placeholder(packed, codes.weights, name="w")
    return te.create_prim_func([x, weight, int8_conv2d(x, weight, workload=workload, full_range=full_range)])


def _missing_columns(workload: ConvWorkload, codes: CodeLayout) -> int:
    """The columns that joined taps read beyond the padded image."""
    left, right = workload.padding[1], workload.padding[3]
    read = columns_read(workload, codes.run) if joins_taps(workload, codes.run) else 0
    return max(0, read - workload.in_width - left - right)


def int8_conv_of_any_weights(workload: ConvWorkload, layout: VectorLayout) -> tirx.PrimFunc:
    """The sums where a weight is -128."""
    return int8_conv(workload, layout, full_range=True)


def int8_winograd(workload: ConvWorkload, layout: VectorLayout, *, m: int) -> tirx.PrimFunc:
    """(x, weight, y): the sums of an 8-bit convolution by Winograd's form."""
    top, left, bottom, right = padding_to_tiles(workload, m)
    shape = (workload.batch, workload.in_height + top + bottom, workload.in_width + left + right, workload.in_channels)
    lanes, x = layout.float_lanes, te.placeholder(shape, layout.codes.dtype, name="x")
    blocks = -(-workload.out_channels // lanes)
    weight = te.placeholder((blocks, m + 2, m + 2, workload.in_channels // 2, lanes, 2), "int16", name="w")
    return te.create_prim_func([x, weight, int8_winograd_conv2d(x, weight, workload=workload)])


def int8_strided_winograd(workload: ConvWorkload, layout: VectorLayout) -> tirx.PrimFunc:
    """(x, weight, y): the sums of an 8-bit convolution of stride 2 by Winograd's form."""
    top, left, bottom, right = workload.padding
    shape = (workload.batch, workload.in_height + top + bottom, workload.in_width + left + right, workload.in_channels)
    lanes, x = layout.float_lanes, te.placeholder(shape, "int16", name="x")
    blocks = -(-workload.out_channels // lanes)
    weight = te.placeholder((blocks, 3, 3, workload.in_channels // 2, lanes, 2), "int8", name="w")
    return te.create_prim_func([x, weight, int8_strided_winograd_conv2d(x, weight, workload=workload)])


def check_strided_winograd_sums(
    workload: ConvWorkload, layout: VectorLayout, compiled: Callable[[tirx.PrimFunc], Callable[..., np.ndarray]]
) -> None:
    """The sums that ``compiled`` code makes by Winograd's form of random codes and weights are those of the definition,
    and so are those of the highest codes by the lowest and the highest weights alone.
    """
    rng = np.random.default_rng(0)
    shape = (workload.batch, workload.in_channels, workload.in_height, workload.in_width)
    filters = (workload.out_channels, workload.in_channels, 3, 3)
    run, (top, left, bottom, right) = compiled(int8_strided_winograd(workload, layout)), workload.padding
    for x, weight in (
        (rng.integers(0, 256, shape), rng.integers(-128, 128, filters)),
        (rng.choice((0, 255), shape), rng.choice((-128, 127), filters)),
        (np.full(shape, 255), np.full(filters, -128)),
    ):
        image = np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))
        packed = pack_int8_weights(weight, lanes=layout.float_lanes, run=2, dtype="int8")
        geometry = {"stride": (2, 2), "padding": workload.padding}
        expected = reference(x.astype(np.uint8), weight.astype(np.int8), **geometry)
        sums = run(image.astype("int16"), packed).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(sums, expected)


def check_winograd_sums(
    workload: ConvWorkload,
    layout: VectorLayout,
    compiled: Callable[[tirx.PrimFunc], Callable[..., np.ndarray]],
    *,
    m: int,
    largest: int = 127,
) -> None:
    """The sums that ``compiled`` code makes by Winograd's form of random codes and weights up to ``largest`` are those
    of the definition, and so are those of the highest codes by weights of -``largest`` alone.
    """
    rng = np.random.default_rng(0)
    shape = (workload.batch, workload.in_channels, workload.in_height, workload.in_width)
    filters = (workload.out_channels, workload.in_channels, 3, 3)
    run = compiled(int8_winograd(workload, layout, m=m))
    top, left, bottom, right = padding_to_tiles(workload, m)
    for x, weight in (
        (rng.integers(0, 256, shape), rng.integers(-largest, largest + 1, filters)),
        (np.full(shape, 255), np.full(filters, -largest)),
    ):
        assert fits_winograd(weight, m)
        image = np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))
        packed = pack_winograd_weights(weight, lanes=layout.float_lanes, m=m)
        expected = reference(x.astype(np.uint8), weight.astype(np.int8), padding=workload.padding)
        sums = run(image.astype(layout.codes.dtype), packed).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(sums, expected)


def check_sums(
    workload: ConvWorkload,
    layout: VectorLayout,
    compiled: Callable[[tirx.PrimFunc], Callable[..., np.ndarray]],
    *,
    seed: int = 0,
    extreme: bool = False,
) -> None:
    """The sums that ``compiled`` code makes of random codes, or of the largest ones, are those of the definition."""
    codes, lanes, multiple = code_layout(workload, layout)
    rng, low = np.random.default_rng(seed), -128 if codes.dtype == "int8" else 0
    x = rng.integers(low, low + 256, (workload.batch, workload.in_channels, workload.in_height, workload.in_width))
    weight = rng.integers(-127, 128, (workload.out_channels, workload.in_channels // workload.groups, *workload.kernel))
    if extreme:
        x, weight = (
            np.full_like(x, low + 255),
            np.where(np.arange(len(weight)) % 2, -127, 127)[:, None, None, None] + 0 * weight,
        )
    zero = int(rng.integers(low, low + 256)) if any(workload.padding) else low
    x8 = x.astype("int8" if codes.dtype == "int8" else "uint8")
    geometry = {"stride": workload.stride, "padding": workload.padding, "dilation": workload.dilation}
    expected = reference(x8, weight.astype(np.int8), zero=zero, groups=workload.groups, **geometry)
    top, left, bottom, right = workload.padding
    image = np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=zero)
    more = _missing_columns(workload, codes), -workload.in_channels % multiple
    image = np.pad(image, ((0, 0), (0, 0), (0, more[0]), (0, more[1])), constant_values=low + 3)
    if is_depthwise(workload):
        dtype = layout.depthwise_weights(workload.out_channels)
        packed = pack_depthwise_weights(weight, lanes=lanes, taps=codes.taps, multiple=multiple, dtype=dtype)
    else:
        filters = join_taps(weight) if joins_taps(workload, codes.run) else weight
        packed = pack_int8_weights(filters, lanes=lanes, run=codes.run, dtype=codes.weights)
    sums = compiled(int8_conv(workload, layout))(image.astype(codes.dtype), packed).transpose(0, 3, 1, 2)
    of_zero = zero * weight.reshape(len(weight), -1).sum(axis=1)[:, None, None]
    np.testing.assert_array_equal(sums - of_zero, expected)
