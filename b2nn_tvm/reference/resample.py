"""The definition of resizing in numpy: bit for bit Pillow's BILINEAR (its src/libImaging/Resample.c) along each axis.

The picture is resized in two passes, first along its rows, then along its columns; a pass that changes no length is
left out. (Pillow 13 takes the columns first where they shrink by more than twice as many pixels as the rows.) Each
value is a weighted sum of the values around its centre, up to 1 pixel of the larger of both grids away: so shrinking
averages over all pixels (antialias), and enlarging interpolates between two.

    scale = source / target     stretch = max(scale, 1)     centre = (i + 0.5) * scale
    pixels floor(centre - stretch + 0.5) to floor(centre + stretch + 0.5) - 1, those inside of the picture
    weight of pixel j = max(0, 1 - |(j - centre + 0.5) / stretch|), divided by the sum of all weights

in double precision. The weights become whole numbers of 2^-22, rounded half away from zero; the sum of the products
is exact, and rounded half up to a whole number, 0 to 255, after each pass.
"""

from __future__ import annotations

import numpy as np

BITS = 22  # of a weight behind the point: 32 less 8 of a pixel and 2 for sums above 1


def resample(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """``pixels``, uint8 [H, W] or [H, W, C], resized to ``height`` x ``width``."""
    rows = _one_axis(pixels, width, axis=1)
    return _one_axis(rows, height, axis=0)


def weights(source: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel and the whole-number weights of each of ``target`` values made of ``source`` pixels.

    They are int64 [target] and [target, N]; weights behind the last pixel of a value are 0.
    """
    scale = source / target
    stretch = max(scale, 1.0)
    firsts, rows = [], []
    for index in range(target):
        centre = (index + 0.5) * scale
        first = max(int(centre - stretch + 0.5), 0)
        last = min(int(centre + stretch + 0.5), source)
        row = [_triangle((j - centre + 0.5) * (1.0 / stretch)) for j in range(first, last)]
        total = 0.0
        for weight in row:  # one after the other, for the sum of doubles depends on the order
            total += weight
        firsts.append(first)
        rows.append([int(0.5 + weight / total * (1 << BITS)) for weight in row])
    longest = max(map(len, rows))
    return np.array(firsts), np.array([row + [0] * (longest - len(row)) for row in rows], np.int64)


def _triangle(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def _one_axis(pixels: np.ndarray, target: int, *, axis: int) -> np.ndarray:
    source = pixels.shape[axis]
    if source == target:
        return pixels
    firsts, factors = weights(source, target)
    moved = np.moveaxis(pixels.astype(np.int64), axis, 0)
    total = np.full((target, *moved.shape[1:]), 1 << (BITS - 1), np.int64)
    for place in range(factors.shape[1]):
        chosen = moved[np.minimum(firsts + place, source - 1)]
        total += chosen * factors[:, place].reshape(-1, *(1,) * (moved.ndim - 1))
    return np.moveaxis(np.clip(total >> BITS, 0, 255).astype(np.uint8), 0, axis)
