"""Convolution of 8-bit codes in NHWC over an already padded input, exact in int32; the output channels stand in blocks
of ``lanes``, and ``run`` neighbouring input channels side by side, as instructions that add their products read them.

y[n, h, w, o] = sum over kh, kw, c, r of
    x[n, h*s + kh*d, w*s + kw*d, c*run + r] * weight[o / lanes, kh, kw, c, o % lanes, r]

Where the taps of a kernel row are joined (passes/lower/join_taps.py), it has one column, and words go on through the
pixels; C is the image's number of channels.

y[n, h, w, o] = sum over kh, c, r of
    x[n, h*s + kh*d, w*s + (c*run + r) / C, (c*run + r) % C] * weight[o / lanes, kh, 0, c, o % lanes, r]

A depthwise convolution has a filter of its own for each channel. ``taps`` neighbouring taps of a column of its filter
lie side by side; products of 8 by 8 bits fit 16.

y[n, h, w, c] = sum over kh, kw of
    x[n, h*s + kh*d, w*s + kw*d, c] * weight[c / lanes, kw, kh / taps, c % lanes, kh % taps]

Winograd's form of a 3x3 convolution of stride 1 (ops/winograd_conv2d.py) has weights U = G g G^T of 16 bits. They are
whole, as G is multiplied by a whole number. A filter g is the sum D U D^T of them, divided by a scale.

y[n, h, w, o] = sum over kh, kw, c, r of
    x[n, h + kh, w + kw, c*2 + r] * (D U D^T)[kh, kw] / scale, of U = weight[o / lanes, :, :, c, o % lanes, r]
Winograd's form of a 3x3 convolution of stride 2 has the weights of the direct form, in 8 bits.
"""

from __future__ import annotations

import numpy as np
from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.conv2d import crop_channels
from b2nn_tvm.ops.winograd_conv2d import combine
from b2nn_tvm.workload import ConvWorkload

# G of F(m x m, 3 x 3), times 2 or 24; of m = 4 the last row has a quarter of that, so that U fits 16 bits.
WINOGRAD_FILTER = {
    2: ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2)),
    4: ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 6)),
}
# D: of the transformed filter, the three taps times the root of the scale.
WINOGRAD_TAPS = {
    2: ((1, 0, 0, 0), (0, 1, -1, 0), (0, 0, 0, 1)),
    4: ((4, 0, 0, 0, 0, 0), (0, -3, 3, 0, 0, 0), (0, 0, 0, 0, 0, 4)),
}
WINOGRAD_SCALE = {2: 2 * 2, 4: 24 * 24}  # of the sums, and of a filter that was made of U
HIGHEST_CODE = 255  # where codes begin at 0


def int8_conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload, full_range: bool = False) -> te.Tensor:
    """int32 [N, H', W', O] of codes x [N, H + pads, W + pads, C] and weight from ``pack_int8_weights``; O is cut to the
    workload's outputs.

    C is a multiple of ``run``, of which channels behind the workload's have weights of 0, or the taps are joined: then
    C is the workload's, and x has as many columns as the last word needs. With groups, ``lanes``
    divides the outputs of a group, and ``run`` its channels. ``full_range`` has to be True where a weight is -128: two
    products of -128 by -128 do not fit 16 bits.
    """
    blocks, kernel_height, kernel_width, words, lanes, run = (int(extent) for extent in weight.shape)
    kh = te.reduce_axis((0, kernel_height), "kh")
    kw = te.reduce_axis((0, kernel_width), "kw")
    c, r = te.reduce_axis((0, words), "c"), te.reduce_axis((0, run), "r")
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    outputs_per_group = workload.out_channels // workload.groups
    joined = kernel_width < workload.kernel[1]

    def column(w: Var) -> Expr:
        tap = (c * run + r) // workload.in_channels if joined else kw * dw
        return w * sw + tap

    def channel(o: Var) -> Expr:
        if joined:
            return (c * run + r) % workload.in_channels
        first = o // outputs_per_group * words * run if workload.groups > 1 else 0
        return first + c * run + r

    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: te.sum(
            x[n, h * sh + kh * dh, column(w), channel(o)].astype("int32")
            * weight[o // lanes, kh, kw, c, o % lanes, r].astype("int32"),
            axis=[kh, kw, c, r],
        ),
        name="int8_conv2d",
        attrs=mark(Op.INT8_CONV2D, workload, lanes=lanes, groups=workload.groups, window=True, full_range=full_range),
    )
    return crop_channels(y, workload.out_channels)


def int8_depthwise_conv2d(
    x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload, full_range: bool = False
) -> te.Tensor:
    """int32 [N, H', W', C] of codes x [N, H + pads, W + pads, C] and weight from ``pack_depthwise_weights``; C is cut
    to the workload's channels. ``full_range`` as in ``int8_conv2d``.
    """
    blocks, kernel_width, _, lanes, taps = (int(extent) for extent in weight.shape)
    kh = te.reduce_axis((0, workload.kernel[0]), "kh")
    kw = te.reduce_axis((0, kernel_width), "kw")
    (sh, sw), (dh, dw) = workload.stride, workload.dilation

    def product(n: Var, h: Var, w: Var, c: Var) -> Expr:
        code = x[n, h * sh + kh * dh, w * sw + kw * dw, c].astype("int16")
        tap = weight[c // lanes, kw, kh // taps, c % lanes, kh % taps].astype("int16")
        return (code * tap).astype("int32")

    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, c: te.sum(product(n, h, w, c), axis=[kh, kw]),
        name="int8_depthwise_conv2d",
        attrs=mark(Op.INT8_DEPTHWISE_CONV2D, workload, lanes=lanes, taps=taps, window=True, full_range=full_range),
    )
    return crop_channels(y, workload.out_channels)


def int8_winograd_conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload) -> te.Tensor:
    """int32 [N, H', W', O] of codes x [N, H + pads, W + pads, C] and weight from ``pack_winograd_weights``; O is cut to
    the workload's outputs. Only a micro-kernel computes it by Winograd's form.
    """
    blocks, size, _, words, lanes, run = (int(extent) for extent in weight.shape)
    m = size - 2
    kh, kw = te.reduce_axis((0, 3), "kh"), te.reduce_axis((0, 3), "kw")
    c, r = te.reduce_axis((0, words), "c"), te.reduce_axis((0, run), "r")

    def tap(o: Var) -> Expr:
        def row(i: int) -> Expr:
            element = lambda j: weight[o // lanes, i, j, c, o % lanes, r].astype("int32")
            return combine(WINOGRAD_TAPS[m], kw, element, "int32")

        return tirx.truncdiv(combine(WINOGRAD_TAPS[m], kh, row, "int32"), WINOGRAD_SCALE[m])

    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: te.sum(x[n, h + kh, w + kw, c * run + r].astype("int32") * tap(o), axis=[kh, kw, c, r]),
        name="int8_winograd_conv2d",
        attrs=mark(Op.INT8_WINOGRAD_CONV2D, workload, lanes=lanes, tile_size=m, window=True),
    )
    return crop_channels(y, workload.out_channels)


def int8_strided_winograd_conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload) -> te.Tensor:
    """int32 [N, H', W', O] of a 3x3 convolution of stride 2 of codes x [N, H + pads, W + pads, C], in 16 bits, and int8
    weight from ``pack_int8_weights``, in runs of 2; O is cut to the workload's outputs. Only a micro-kernel computes it
    by Winograd's form.
    """
    blocks, _, _, words, lanes, run = (int(extent) for extent in weight.shape)
    kh, kw = te.reduce_axis((0, 3), "kh"), te.reduce_axis((0, 3), "kw")
    c, r = te.reduce_axis((0, words), "c"), te.reduce_axis((0, run), "r")
    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: te.sum(
            x[n, h * 2 + kh, w * 2 + kw, c * run + r].astype("int32")
            * weight[o // lanes, kh, kw, c, o % lanes, r].astype("int32"),
            axis=[kh, kw, c, r],
        ),
        name="int8_winograd_conv2d",
        attrs=mark(Op.INT8_WINOGRAD_CONV2D, workload, lanes=lanes, tile_size=2, window=True),
    )
    return crop_channels(y, workload.out_channels)


def pack_winograd_weights(weight: np.ndarray, *, lanes: int, m: int) -> np.ndarray:
    """int16 [ceil(O / lanes), m + 2, m + 2, C / 2, lanes, 2] of whole numbers [O, C, 3, 3]; absent filters are 0."""
    g = np.asarray(WINOGRAD_FILTER[m])
    return pack_int8_weights(
        np.einsum("ik,ockl,jl->ocij", g, weight.astype(np.int64), g), lanes=lanes, run=2, dtype="int16"
    )


def fits_winograd(weight: np.ndarray, m: int) -> bool:
    """Whether all sums of codes from 0 to 255 by whole numbers [O, C, 3, 3] times the power of two in the scale fit
    int32, as the micro-kernels want it.
    """
    rows = weight.reshape(len(weight), -1).astype(np.int64)
    most = max(int(np.maximum(rows, 0).sum(axis=1).max()), int(np.maximum(-rows, 0).sum(axis=1).max()))
    return most * HIGHEST_CODE * (WINOGRAD_SCALE[m] & -WINOGRAD_SCALE[m]) < 2**31


def pack_depthwise_weights(weight: np.ndarray, *, lanes: int, taps: int, multiple: int, dtype: str) -> np.ndarray:
    """[channels / lanes, kw, ceil(kh / taps), lanes, taps] of ``dtype`` of whole numbers [C, 1, kh, kw]; there are as
    many channels as make a multiple of ``multiple``, and absent channels and taps are 0.
    """
    channels, _, kernel_height, kernel_width = weight.shape
    groups, all_channels = -(-kernel_height // taps), -(-channels // multiple) * multiple
    full = np.zeros((all_channels, groups * taps, kernel_width), dtype)
    full[:channels, :kernel_height] = weight[:, 0]
    tiled = full.reshape(all_channels // lanes, lanes, groups, taps, kernel_width)
    return np.ascontiguousarray(tiled.transpose(0, 4, 2, 1, 3))


def pack_int8_weights(weight: np.ndarray, *, lanes: int, run: int, dtype: str) -> np.ndarray:
    """[ceil(O / lanes), kh, kw, ceil(C / run), lanes, run] of ``dtype`` of whole numbers [O, C, kh, kw]; absent filters
    and channels are 0.
    """
    outputs, channels, kernel_height, kernel_width = weight.shape
    blocks, words = -(-outputs // lanes), -(-channels // run)
    full = np.zeros((blocks * lanes, words * run, kernel_height, kernel_width), dtype)
    full[:outputs, :channels] = weight
    tiled = full.reshape(blocks, lanes, words, run, kernel_height, kernel_width)
    return np.ascontiguousarray(tiled.transpose(0, 4, 5, 2, 1, 3))
