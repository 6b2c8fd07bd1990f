"""Weights that are few whole numbers times a scale per filter, as a sum of planes of signs.

    u in {-1, 1}                     ->  W                              1 bit
    u in {-1, 0, 1}                  ->  1/2 * (P + M)                  P is +1 where u >= 0, M is +1 where u > 0
    u odd, |u| < 2^m                 ->  sum of 2^q * W_q               m bits, none of which is a sign bit
    u from -2^(m-1) to 2^(m-1) - 1   ->  1/2 * (sum of 2^q * W_q - 1)   two's complement

What the weights mean is found from their values: quantizers of all tools leave whole numbers times a scale per output
channel, rounded once to float32, and a batch norm that was folded into them changes the scale, and perhaps its sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_BITS = 4
_LARGEST = 2**MOST_BITS - 1
_TOLERANCE = 1e-6  # of the largest weight of a filter: what rounding the product with the scale leaves
_FEWEST_WEIGHTS = 3  # any two numbers may be small multiples of a third one


@dataclass(frozen=True, eq=False)
class WeightPlane:
    """Signs [O, ...], float32, and the whole number by which they are multiplied."""

    signs: np.ndarray
    coefficient: int


@dataclass(frozen=True, eq=False)
class WeightPlanes:
    """``scale`` [O] * (the sum of the planes times their coefficients + ``rest``), of ``bits`` bits."""

    bits: int
    planes: tuple[WeightPlane, ...]
    rest: int
    scale: np.ndarray

    def of_filters(self, chosen: slice) -> WeightPlanes:
        """The same of some of the filters."""
        planes = tuple(WeightPlane(plane.signs[chosen], plane.coefficient) for plane in self.planes)
        return WeightPlanes(self.bits, planes, self.rest, self.scale[chosen])

    @property
    def reach(self) -> int:
        """The largest magnitude of one weight, in units of the scale, and of every sum of some of its terms."""
        return sum(plane.coefficient for plane in self.planes) + abs(self.rest)


def weight_planes(weight: np.ndarray) -> WeightPlanes | None:
    """The planes of weights [O, ...]; None where they are not whole numbers of at most 4 bits times a scale per
    filter.
    """
    if _whole_numbers(weight[:1]) is None:  # the first filter of most layers tells that the weights have another form
        return None
    found = _whole_numbers(weight)
    return None if found is None else _planes_of(*found, weight.shape)


def _whole_numbers(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Whole numbers int64 [O, K] and the scales float64 [O] that they are multiplied with."""
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    if rows.shape[1] < _FEWEST_WEIGHTS or not np.isfinite(rows).all():
        return None
    largest = np.abs(rows).max(axis=1, keepdims=True)
    unsure = _TOLERANCE * largest
    least = np.where(np.abs(rows) > unsure, np.abs(rows), np.inf).min(axis=1, keepdims=True)
    whole, scale = np.zeros(rows.shape, np.int64), np.zeros((len(rows), 1))
    open_rows = largest[:, 0] > 0
    for divisor in range(1, _LARGEST + 1):  # the least of them is 1, 2, 3, ... times the scale
        with np.errstate(all="ignore"):
            found = np.rint(rows * divisor / least)
            fitted = np.abs(rows).sum(axis=1, keepdims=True) / np.abs(found).sum(axis=1, keepdims=True)
            fits = (np.abs(rows - found * fitted) <= unsure).all(axis=1) & (np.abs(found) <= _LARGEST).all(axis=1)
        fits &= open_rows
        whole[fits], scale[fits] = found[fits].astype(np.int64), fitted[fits]
        open_rows &= ~fits
        if not open_rows.any():
            return np.where(largest > 0, whole, 1), scale[:, 0]
    return None


def _planes_of(whole: np.ndarray, scale: np.ndarray, shape: tuple[int, ...]) -> WeightPlanes | None:
    def plane(positive: np.ndarray, coefficient: int) -> WeightPlane:
        return WeightPlane(np.where(positive, np.float32(1), np.float32(-1)).reshape(shape), coefficient)

    largest = int(np.abs(whole).max())
    if (np.abs(whole) == 1).all():
        return WeightPlanes(1, (plane(whole > 0, 1),), 0, scale)
    if largest == 1:
        return WeightPlanes(2, (plane(whole >= 0, 1), plane(whole > 0, 1)), 0, scale / 2)
    if (whole % 2 == 1).all():
        bits = largest.bit_length()
        codes = (whole + 2**bits - 1) // 2
        return WeightPlanes(bits, tuple(plane(codes >> q & 1 == 1, 2**q) for q in range(bits)), 0, scale)
    bits = next((m for m in range(2, MOST_BITS + 1) if _fits(whole, m).all()), 0)
    if not bits:
        return None
    turned = np.where(_fits(whole, bits, either=False), 1, -1)
    codes = whole * turned[:, None] + 2 ** (bits - 1)
    planes = tuple(plane(codes >> q & 1 == 1, 2**q) for q in range(bits))
    return WeightPlanes(bits, planes, -1, scale * turned / 2)


def _fits(whole: np.ndarray, bits: int, *, either: bool = True) -> np.ndarray:
    """Whether each row, or its negative, lies in the range of two's complement of these bits."""
    low, high, half = whole.min(axis=1), whole.max(axis=1), 2 ** (bits - 1)
    fits = (low >= -half) & (high < half)
    return np.asarray(fits | ((low > -half) & (high <= half)) if either else fits)
