"""The definition of the binary operators in numpy: slow and obvious, so that all other code is tested against it.

sign(x) is +1 where x >= threshold and -1 elsewhere, so sign(0) = sign(-0.0) = +1 and sign(NaN) = -1 (Rastegari et al.,
XNOR-Net, with the tie broken upwards). Bits are 1 for +1; they are packed along the channels, the first channel in the
lowest bit, and unused bits of the last byte are 0.
"""

from __future__ import annotations

import numpy as np

from b2nn_tvm.workload import ConvWorkload


def sign(x: np.ndarray, threshold: np.ndarray | float = 0.0) -> np.ndarray:
    """int8 array of +1 and -1 of x's shape; ``threshold`` broadcasts against x (per channel: shape [C, 1, 1])."""
    return np.where(np.asarray(x) >= threshold, 1, -1).astype(np.int8)


def pack(signs: np.ndarray, axis: int = -1) -> np.ndarray:
    """uint8 array in which ``axis`` of length C became ceil(C/8) bytes, least significant bit first."""
    return np.packbits(np.asarray(signs) > 0, axis=axis, bitorder="little")


def unpack(packed: np.ndarray, channels: int, axis: int = -1) -> np.ndarray:
    """The int8 signs from which ``pack`` made ``packed``."""
    bits = np.unpackbits(packed, axis=axis, count=channels, bitorder="little")
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


def xnor_dot(a: np.ndarray, b: np.ndarray, channels: int) -> np.ndarray:
    """int32 dot products over the last axis of two packed arrays: channels - 2 * popcount(a xor b)."""
    differing: np.ndarray = np.bitwise_count(a ^ b).astype(np.int32).sum(axis=-1)
    return (channels - 2 * differing).astype(np.int32)


def binary_dense(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """int32 [rows, out] products of signs a [rows, in] and b [out, in]."""
    return xnor_dot(pack(a)[:, None, :], pack(b)[None, :, :], a.shape[-1])


def binary_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    pad_value: int = 0,
) -> np.ndarray:
    """int32 [N, O, H', W'] convolution of signs x [N, C, H, W] with signs weight [O, C/groups, kh, kw].

    ``padding`` is (top, left, bottom, right); ``pad_value`` is 0 (a padded tap contributes nothing), +1 or -1. Raises
    ValueError for another one.
    """
    if pad_value not in (0, 1, -1):
        raise ValueError(f"pad_value is 0, 1 or -1, not {pad_value}")
    batch, channels, height, width = x.shape
    outputs, per_group, kernel_height, kernel_width = weight.shape
    workload = ConvWorkload(
        batch, channels, height, width, outputs, (kernel_height, kernel_width), stride, padding, dilation, groups
    )
    grouped = x.reshape(batch, groups, per_group, height, width)
    pixels = pack(grouped.transpose(0, 3, 4, 1, 2))  # [N, H, W, G, bytes]
    border = pack(np.full((groups, per_group), pad_value))
    filters = weight.reshape(groups, -1, per_group, kernel_height, kernel_width)
    taps = pack(filters.transpose(3, 4, 0, 1, 2))  # [kh, kw, G, O/G, bytes]
    out = np.zeros((batch, workload.out_height, workload.out_width, groups, outputs // groups), np.int32)
    for i in range(kernel_height):
        for j in range(kernel_width):
            rows = np.arange(workload.out_height)[:, None] * stride[0] + i * dilation[0] - padding[0]
            columns = np.arange(workload.out_width) * stride[1] + j * dilation[1] - padding[1]
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            read = pixels[:, rows.clip(0, height - 1), columns.clip(0, width - 1)]  # [N, H', W', G, bytes]
            read = np.where(inside[:, :, None, None], read, border)
            dots = xnor_dot(read[..., None, :], taps[i, j], per_group)
            out += dots if pad_value else dots * inside[:, :, None, None]
    return np.ascontiguousarray(out.reshape(*out.shape[:3], outputs).transpose(0, 3, 1, 2))


def weight_binary_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    pad_value: int = 0,
) -> np.ndarray:
    """float32 [N, O, H', W'] convolution of floats x [N, C, H, W] with scale [O] * signs weight [O, C, kh, kw].

    ``padding`` is (top, left, bottom, right) pixels of ``pad_value`` 0, +1 or -1 around x. Sums are float64, rounded
    once. Raises ValueError for another ``pad_value``.
    """
    if pad_value not in (0, 1, -1):
        raise ValueError(f"pad_value is 0, 1 or -1, not {pad_value}")
    batch, channels, height, width = x.shape
    outputs, _, kernel_height, kernel_width = weight.shape
    workload = ConvWorkload(
        batch, channels, height, width, outputs, (kernel_height, kernel_width), stride, padding, dilation
    )
    top, left, bottom, right = padding
    widths = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = np.pad(x.astype(np.float64), widths, constant_values=pad_value)
    out = np.zeros((batch, outputs, workload.out_height, workload.out_width))
    for i in range(kernel_height):
        for j in range(kernel_width):
            rows = np.arange(workload.out_height)[:, None] * stride[0] + i * dilation[0]
            columns = np.arange(workload.out_width) * stride[1] + j * dilation[1]
            out += np.einsum("oc,nchw->nohw", weight[:, :, i, j].astype(np.float64), padded[:, :, rows, columns])
    return (out * np.asarray(scale, np.float64)[:, None, None]).astype(np.float32)


def scale_channels(y: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """float32 y * scale with one scale per output channel, y int32 [N, O, H, W]: one rounding."""
    return y.astype(np.float32) * np.asarray(scale, np.float32)[:, None, None]


def threshold_channels(y: np.ndarray, threshold: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """int8 signs of y int32 [N, O, H, W]: +1 where y >= threshold[o], the opposite where flip[o] is true.

    Batch norm followed by sign becomes this comparison; a negative gamma flips it (Umuroglu et al., FINN, section
    4.2.2).
    """
    at_least = y >= np.asarray(threshold, np.int32)[:, None, None]
    return np.where(at_least ^ np.asarray(flip, bool)[:, None, None], 1, -1).astype(np.int8)
