"""The definition of 8-bit convolutions and dense layers in numpy: slow and obvious, so that all other code is tested
against it.

Activations are codes x of one scale and one zero point z, which stand for (x - z) * scale; weights are whole numbers
with a scale per output channel and no zero point. A layer sums (x - z) * w in int32. Padding is real zero: the code z.
Scale, bias and what follows are float arithmetic on these sums (ONNX QuantizeLinear, DequantizeLinear; Jacob et al.,
arXiv 1712.05877, equation 7).
"""

from __future__ import annotations

import numpy as np

from b2nn_tvm.workload import ConvWorkload

LARGEST_SUM = 2**31 - 1


def quantize(x: np.ndarray, scale: float, zero: int, *, low: int = 0, high: int = 255) -> np.ndarray:
    """int32 codes of x from ``low`` to ``high``: round(x / scale) + zero, halves to even, as ONNX QuantizeLinear."""
    ratio = np.asarray(x, np.float32) / np.float32(scale)
    return np.asarray(np.clip(np.rint(ratio) + zero, low, high)).astype(np.int32)


def largest_sum(weight: np.ndarray, *, low: int, high: int, zero: int) -> int:
    """The largest magnitude that any sum of codes from ``low`` to ``high`` less ``zero`` by ``weight`` [O, ...], or any
    part of it, may have; sums are exact where it is at most LARGEST_SUM.

    The parts are those of sums that leave out the zero point, too: kernels sum x * w, and subtract z * w at the end.
    """
    widest = max(abs(low - zero), abs(high - zero), abs(low), abs(high), abs(zero))
    rows = np.abs(weight.reshape(weight.shape[0], -1).astype(np.int64)).sum(axis=1)
    return int(rows.max(initial=0)) * widest


def int8_dense(x: np.ndarray, weight: np.ndarray, *, zero: int = 0) -> np.ndarray:
    """int32 [N, O] sums of codes x [N, K] less ``zero`` by weight [O, K]; raises OverflowError as int8_conv2d does."""
    image, filters = (np.asarray(array)[:, :, None, None] for array in (x, weight))
    return int8_conv2d(image, filters, zero=zero)[:, :, 0, 0]


def int8_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    *,
    zero: int = 0,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """int32 [N, O, H', W'] convolution of codes x [N, C, H, W] less ``zero`` with weight [O, C/groups, kh, kw].

    ``padding`` is (top, left, bottom, right), of the code ``zero``. x is of any type of integers of 8 bits, and so is
    the weight. Raises OverflowError where a sum of such codes may be beyond int32.
    """
    batch, channels, height, width = x.shape
    outputs, per_group, kernel_height, kernel_width = weight.shape
    workload = ConvWorkload(
        batch, channels, height, width, outputs, (kernel_height, kernel_width), stride, padding, dilation, groups
    )
    codes = np.iinfo(x.dtype)
    if (most := largest_sum(weight, low=codes.min, high=codes.max, zero=zero)) > LARGEST_SUM:
        raise OverflowError(f"its sums may reach {most}, but int32 ends at {LARGEST_SUM}")
    top, left, bottom, right = padding
    centred = np.pad(x.astype(np.int64) - zero, ((0, 0), (0, 0), (top, bottom), (left, right)))
    centred = centred.reshape(batch, groups, per_group, *centred.shape[2:])
    filters = weight.astype(np.int64).reshape(groups, outputs // groups, per_group, kernel_height, kernel_width)
    out = np.zeros((batch, groups, outputs // groups, workload.out_height, workload.out_width), np.int64)
    for i in range(kernel_height):
        for j in range(kernel_width):
            rows = np.arange(workload.out_height)[:, None] * stride[0] + i * dilation[0]
            columns = np.arange(workload.out_width) * stride[1] + j * dilation[1]
            out += np.einsum("goc,ngchw->ngohw", filters[:, :, :, i, j], centred[..., rows, columns])
    return out.reshape(batch, outputs, workload.out_height, workload.out_width).astype(np.int32)
