"""Weights as a sum of signs times one scale per filter: the forms of binary and ternary weights.

    w in {-a, a}       ->  a * s
    w in {lo, hi}      ->  (hi - lo) / 2 * s + (hi + lo) / 2 * 1        two values (AdaBin, Tu et al., ECCV 2022)
    w in {-a, 0, a}    ->  a / 2 * p + a / 2 * m                        p is +1 where w >= 0, m is +1 where w > 0

A convolution of signs by such weights is a sum of binary convolutions; a filter of ones gives the box sum of its input,
which is the same for all filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from b2nn_tvm.provenance.layer_names import split_sign_and_scale

BOX_SUM, SECOND_PLANE = ".box_sum", ".second_plane"
# The spread of values that still count as one, of the largest magnitude: what folding in float32 leaves.
_TOLERANCE = 1e-6
# Any two numbers are two values; so a filter of so few weights says nothing of what it is meant to be.
_FEWEST_WEIGHTS = 3


@dataclass(frozen=True, eq=False)
class SignTerm:
    """``signs`` [O or 1, ...] of -1 and +1 and ``scale`` [O], float32; ``suffix`` names the layer of this term."""

    signs: np.ndarray
    scale: np.ndarray
    suffix: str = ""


def sign_terms(weight: np.ndarray) -> tuple[SignTerm, ...]:
    """The terms whose sum the weights [O, ...] are, one or two of them; none where the weights have another form."""
    single = split_sign_and_scale(weight)
    if single is not None:
        return (SignTerm(*single),)
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    if rows.shape[1] < _FEWEST_WEIGHTS or not np.isfinite(rows).all():
        return ()
    return _two_values(weight, rows) or _ternary(weight, rows)


def _two_values(weight: np.ndarray, rows: np.ndarray) -> tuple[SignTerm, ...]:
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    rounding = _TOLERANCE * np.maximum(np.abs(low), np.abs(high))
    upper = rows >= (low + high) / 2
    if (np.abs(rows - np.where(upper, high, low)) > rounding).any():
        return ()
    one_value = high - low <= rounding
    half = np.where(one_value, np.abs(high), (high - low) / 2)
    middle = np.where(one_value | (np.abs(high + low) <= rounding), 0, (high + low) / 2)
    signs = np.where(np.where(one_value, rows >= 0, upper), np.float32(1), np.float32(-1)).reshape(weight.shape)
    ones = np.ones((1, *weight.shape[1:]), np.float32)
    return SignTerm(signs, _float(half)), SignTerm(ones, _float(middle), BOX_SUM)


def _ternary(weight: np.ndarray, rows: np.ndarray) -> tuple[SignTerm, ...]:
    magnitude = np.abs(rows)
    largest = magnitude.max(axis=1, keepdims=True)
    used = magnitude > largest / 2
    if (np.where(used, largest - magnitude, magnitude) > _TOLERANCE * largest).any():
        return ()
    scale = _float(largest / 2)
    above, below = used & (rows > 0), used & (rows < 0)
    first, second = (np.where(plus, np.float32(1), np.float32(-1)).reshape(weight.shape) for plus in (~below, above))
    return SignTerm(first, scale), SignTerm(second, scale, SECOND_PLANE)


def _float(column: np.ndarray) -> np.ndarray:
    return column.reshape(-1).astype(np.float32)
