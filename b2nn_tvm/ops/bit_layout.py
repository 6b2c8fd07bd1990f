"""The layout of the bits and the border of a binary convolution for the kernels (numpy, at compile time).

Activations: [N, H + pads, W + pads, words], bits along the channels, tail bits 0. Weights: [O / lanes, kh, kw, words,
lanes], so that one vector register holds the same word of ``lanes`` neighbouring filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload


@dataclass(frozen=True)
class Border:
    """The constant of ``dot = constant - 2 * popcount`` for each output pixel.

    Rows and columns of the output fall into classes by which taps lie inside the image; ``table`` [row classes, column
    classes, outputs] int32 holds the constant, ``rows`` [H'] and ``columns`` [W'] int32 the class of each.
    """

    table: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @property
    def uniform(self) -> bool:
        return bool((self.table == self.table.flat[0]).all())


def word_bits(word: str) -> int:
    """The number of bits in a packed word of the type ``word``."""
    return 8 * np.dtype(word).itemsize


def words_of(channels: int, *, word: str) -> int:
    """The number of words that hold the bits of ``channels`` channels."""
    return -(-channels // word_bits(word))


def pack_weights(signs: np.ndarray, *, word: str, lanes: int) -> np.ndarray:
    """[ceil(O / lanes), kh, kw, words, lanes] words of signs [O, C, kh, kw]; absent filters have all bits 0."""
    outputs, _, kernel_height, kernel_width = signs.shape
    words = pack_channels(signs.transpose(0, 2, 3, 1), word=word)
    blocks = -(-outputs // lanes)
    full = np.zeros((blocks * lanes, *words.shape[1:]), word)
    full[:outputs] = words
    tiled = full.reshape(blocks, lanes, kernel_height, kernel_width, -1)
    return np.ascontiguousarray(tiled.transpose(0, 2, 3, 4, 1))


def pack_channels(signs: np.ndarray, *, word: str) -> np.ndarray:
    """Signs [..., C] as words [..., ceil(C / bits)], the first channel in the lowest bit."""
    packed = reference.pack(signs)
    full = np.zeros((*packed.shape[:-1], words_of(signs.shape[-1], word=word) * np.dtype(word).itemsize), np.uint8)
    full[..., : packed.shape[-1]] = packed
    return full.view(np.dtype(word).newbyteorder("<")).astype(word)


def border(signs: np.ndarray, workload: ConvWorkload, *, pad_value: int, lanes: int) -> Border:
    """The border of a convolution whose padded activations hold the bit 0 (pad_value 0 or -1) or 1 (+1).

    With pad_value 0 a padded tap must contribute nothing, but its zero bits add popcount(weight) and it is missing from
    the channels counted: constant = channels * taps inside + 2 * popcount of the weights outside.
    """
    outputs, channels, kernel_height, kernel_width = signs.shape
    padded_outputs = -(-outputs // lanes) * lanes
    top, left, _bottom, _right = workload.padding
    if pad_value != 0:
        inside_rows = np.ones((workload.out_height, kernel_height), bool)
        inside_columns = np.ones((workload.out_width, kernel_width), bool)
    else:
        inside_rows = _inside(
            workload.out_height, workload.in_height, kernel_height, workload.stride[0], top, workload.dilation[0]
        )
        inside_columns = _inside(
            workload.out_width, workload.in_width, kernel_width, workload.stride[1], left, workload.dilation[1]
        )
    row_kinds, rows = np.unique(inside_rows, axis=0, return_inverse=True)
    column_kinds, columns = np.unique(inside_columns, axis=0, return_inverse=True)
    ones = (signs > 0).sum(axis=1, dtype=np.int32)
    inside = (row_kinds[:, None, :, None] & column_kinds[None, :, None, :])[:, :, None]
    constant = np.where(inside, channels, 2 * ones[None, None]).sum(axis=(3, 4), dtype=np.int32)
    table = np.full(
        (*constant.shape[:2], padded_outputs), constant.flat[0], np.int32
    )  # so that absent filters keep a uniform table uniform
    table[..., :outputs] = constant
    return Border(table, rows.reshape(-1).astype(np.int32), columns.reshape(-1).astype(np.int32))


def _inside(outputs: int, size: int, kernel: int, stride: int, before: int, dilation: int) -> np.ndarray:
    """bool [outputs, kernel]: whether the tap lies inside the image."""
    position = np.arange(outputs)[:, None] * stride - before + np.arange(kernel)[None, :] * dilation
    return (position >= 0) & (position < size)
