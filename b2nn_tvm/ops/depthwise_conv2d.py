"""Depthwise convolution in NHWC over an already padded input: each channel has a filter of its own.

y[n, h, w, c] = sum over kh, kw of x[n, h*s + kh*d, w*s + kw*d, c] * weight[kh, kw, c]
"""

from __future__ import annotations

from tvm import te

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.workload import ConvWorkload


def depthwise_conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload, lanes: int) -> te.Tensor:
    """float32 [N, H', W', C] of x [N, H + pads, W + pads, C] and weight [kh, kw, C]; ``lanes`` divides C."""
    kernel_height, kernel_width, channels = (int(extent) for extent in weight.shape)
    kh = te.reduce_axis((0, kernel_height), "kh")
    kw = te.reduce_axis((0, kernel_width), "kw")
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    return te.compute(
        (workload.batch, workload.out_height, workload.out_width, channels),
        lambda n, h, w, c: te.sum(x[n, h * sh + kh * dh, w * sw + kw * dw, c] * weight[kh, kw, c], axis=[kh, kw]),
        name="depthwise_conv2d",
        attrs=mark(Op.DEPTHWISE_CONV2D, workload, lanes=lanes),
    )
