"""Max pooling in channels-last, written out tap by tap: one expression per pixel, into which other elementwise work can
be fused.

A tap outside the image is moved to the nearest pixel inside. That pixel belongs to the window, too, so the maximum
stays the same and no load needs a condition.
"""

from __future__ import annotations

from functools import reduce

from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.ops.pooling import Pooling

MAX_TAPS = 16


def obstacle(height: int, width: int, pooling: Pooling) -> str:
    """The reason why a pooling cannot be written out; empty where it has few taps and no gaps, and every window holds a
    pixel of the image.
    """
    if pooling.kernel[0] * pooling.kernel[1] > MAX_TAPS:
        return f"a window has more than {MAX_TAPS} taps"
    if pooling.dilation != (1, 1):
        return "its windows have gaps"
    starts = (
        (pooling.kernel[0], pooling.stride[0], pooling.padding[0], pooling.out_height, height),
        (pooling.kernel[1], pooling.stride[1], pooling.padding[1], pooling.out_width, width),
    )
    inside = all(
        before < kernel and (outputs - 1) * stride - before < size for kernel, stride, before, outputs, size in starts
    )
    return "" if inside else "a window lies outside the image"


def max_pool2d(x: te.Tensor, pooling: Pooling) -> te.Tensor:
    """[N, H', W', C] maxima of x [N, H, W, C]; the pooling has no ``obstacle``."""
    batch, height, width, channels = (int(extent) for extent in x.shape)
    (kh, kw), (sh, sw), (top, left) = pooling.kernel, pooling.stride, pooling.padding[:2]

    def at(index: Expr, size: int, overhangs: bool) -> Expr:
        return tirx.max(tirx.min(index, size - 1), 0) if overhangs else index

    overhangs_rows = top > 0 or (pooling.out_height - 1) * sh + kh - top > height
    overhangs_columns = left > 0 or (pooling.out_width - 1) * sw + kw - left > width

    def maximum(n: Var, h: Var, w: Var, c: Var) -> Expr:
        taps = [
            x[n, at(h * sh + a - top, height, overhangs_rows), at(w * sw + b - left, width, overhangs_columns), c]
            for a in range(kh)
            for b in range(kw)
        ]
        return reduce(tirx.max, taps)

    return te.compute((batch, pooling.out_height, pooling.out_width, channels), maximum, name="max_pool2d")
