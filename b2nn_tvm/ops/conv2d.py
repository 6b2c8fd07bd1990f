"""Float convolution in NHWC over an already padded input, the output channels in blocks of ``lanes``.

y[n, h, w, o] = sum over kh, kw, c of x[n, h*s + kh*d, w*s + kw*d, c] * weight[o / lanes, kh, kw, c, o % lanes]
"""

from __future__ import annotations

import numpy as np
from tvm import te
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.workload import ConvWorkload


def conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload) -> te.Tensor:
    """float32 [N, H', W', O] of x [N, H + pads, W + pads, C] and weight from ``pack_weights``; O is cut to the
    workload's outputs.

    With groups, ``lanes`` divides the outputs of a group, so that a vector reads one input channel.
    """
    blocks, kernel_height, kernel_width, channels, lanes = (int(extent) for extent in weight.shape)
    kh = te.reduce_axis((0, kernel_height), "kh")
    kw = te.reduce_axis((0, kernel_width), "kw")
    c = te.reduce_axis((0, channels), "c")
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    outputs_per_group = workload.out_channels // workload.groups

    def channel(o: Var) -> Expr:
        return c if workload.groups == 1 else o // outputs_per_group * channels + c

    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: te.sum(
            x[n, h * sh + kh * dh, w * sw + kw * dw, channel(o)] * weight[o // lanes, kh, kw, c, o % lanes],
            axis=[kh, kw, c],
        ),
        name="conv2d",
        attrs=mark(Op.CONV2D, workload, lanes=lanes, groups=workload.groups, window=True),
    )
    return crop_channels(y, workload.out_channels)


def crop_channels(y: te.Tensor, channels: int) -> te.Tensor:
    """The first ``channels`` of the last axis; y itself where it has no more."""
    if int(y.shape[-1]) == channels:
        return y
    # TVM names the loops after the arguments of the function, so this is no place for y itself.
    return te.compute((*y.shape[:-1], channels), lambda *index: y(*index), name="crop")  # noqa: PLW0108


def pack_weights(weight: np.ndarray, *, lanes: int) -> np.ndarray:
    """[ceil(O / lanes), kh, kw, C, lanes] of weight [O, C, kh, kw]; absent filters are 0."""
    outputs, channels, kernel_height, kernel_width = weight.shape
    blocks = -(-outputs // lanes)
    full = np.zeros((blocks * lanes, channels, kernel_height, kernel_width), weight.dtype)
    full[:outputs] = weight
    tiled = full.reshape(blocks, lanes, channels, kernel_height, kernel_width)
    return np.ascontiguousarray(tiled.transpose(0, 3, 4, 2, 1))
