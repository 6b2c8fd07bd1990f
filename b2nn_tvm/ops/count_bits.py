"""Count the bits under each window of packed codes: the sum of what a layer's weights have in common.

    y[n, h, w] = factor * sum over p of 2^p * (the sum of the signs of plane p under the window)

Weights in two's complement have the same rest, -1/2, in every filter. It multiplies the sum of the codes under the
window, which is one number for all filters: bits are counted in place of one more filter of ones.
"""

from __future__ import annotations

from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.workload import ConvWorkload


def count_bits(x: te.Tensor, *, workload: ConvWorkload, factor: int) -> te.Tensor:
    """float32 [N, H', W', 1] of packed planes [planes * N, H + pads, W + pads, words], the lowest bit first."""
    images, height, width, words = (int(extent) for extent in x.shape)
    batch = workload.batch
    planes = images // batch
    kernel_height, kernel_width = workload.kernel
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    c = te.reduce_axis((0, words), "c")
    kh, kw = te.reduce_axis((0, kernel_height), "kh"), te.reduce_axis((0, kernel_width), "kw")

    def of_pixel(n: Var, h: Var, w: Var) -> Expr:
        counts = [tirx.popcount(x[n + p * batch, h, w, c]).astype("int32") * 2**p for p in range(planes)]
        return te.sum(sum(counts[1:], counts[0]), axis=[c])

    pixel = te.compute((batch, height, width), of_pixel, name="pixel_bits")
    shape = (batch, workload.out_height, workload.out_width, 1)
    window = te.compute(
        shape,
        lambda n, h, w, _: te.sum(pixel[n, h * sh + kh * dh, w * sw + kw * dw], axis=[kh, kw]),
        name="window_bits",
    )
    bits = workload.in_channels * kernel_height * kernel_width * (2**planes - 1)
    result = lambda n, h, w, i: ((window[n, h, w, i] * 2 - bits) * factor).astype("float32")
    return te.compute(shape, result, name="count_bits")
