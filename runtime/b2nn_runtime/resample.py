"""Bilinear resampling whose support grows with the shrinking, in fixed point: the bytes that training has.

First the rows become as long as the result, then the columns. A value is the weighted sum of the values around its
center, which is at (i + 0.5) * scale, where scale is source / target: up to max(scale, 1) away, with weights that fall
off in a straight line. The weights are whole numbers of 2^-22; each pass rounds to 8 bits.
"""

from __future__ import annotations

import numpy as np

BITS = 22


def resample(pixels: np.ndarray, full: tuple[int, int], top: int, left: int, size: tuple[int, int]) -> np.ndarray:
    """A part of ``pixels``, uint8 [H, W, C], resized to ``full``: ``size`` from (``top``, ``left``) on.

    ``full`` and ``size`` are (height, width).
    """
    firsts, weights = _weights(pixels.shape[0], full[0], top, size[0])
    above = int(firsts[0])
    below = int(firsts[-1]) + weights.shape[1]
    narrow = _one_axis(pixels[above:below], _weights(pixels.shape[1], full[1], left, size[1]), axis=1)
    return _one_axis(narrow, (firsts - above, weights), axis=0)


def _weights(source: int, target: int, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel and the weights, int32 [count, N], of values ``start`` to ``start + count`` of ``target``."""
    scale = source / target
    support = max(scale, 1.0)
    firsts, rows = [], []
    for index in range(start, start + count):
        center = (index + 0.5) * scale
        first = max(int(center - support + 0.5), 0)
        last = min(int(center + support + 0.5), source)
        row = [max(0.0, 1.0 - abs((k - center + 0.5) * (1.0 / support))) for k in range(first, last)]
        total = 0.0
        for weight in row:  # one after the other: the sum of doubles depends on the order
            total += weight
        firsts.append(first)
        rows.append([int(0.5 + weight / total * (1 << BITS)) for weight in row])
    longest = max(map(len, rows))
    return np.array(firsts), np.array([row + [0] * (longest - len(row)) for row in rows], np.int32)


def _one_axis(pixels: np.ndarray, taps: tuple[np.ndarray, np.ndarray], *, axis: int) -> np.ndarray:
    firsts, weights = taps
    total: np.ndarray = np.full((1, 1, 1), 1 << (BITS - 1), np.int32)
    for place in range(weights.shape[1]):
        chosen = np.take(pixels, np.minimum(firsts + place, pixels.shape[axis] - 1), axis=axis)
        factor = weights[:, place].reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        total = total + chosen * factor
    rounded: np.ndarray = np.clip(total >> BITS, 0, 255).astype(np.uint8)
    return rounded
