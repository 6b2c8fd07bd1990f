"""The float32 numbers in their order, as integers that count them: what a search for a threshold steps through.

0 is +0.0, -1 is -0.0, and 1 is the smallest positive number; so every two neighbours differ by 1. NaN has no place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Predicate = Callable[[np.ndarray], np.ndarray]


def float_of(order: np.ndarray) -> np.ndarray:
    """The float32 numbers at these places."""
    order = np.asarray(order, np.int64)
    bits = np.where(order < 0, -order - 1, order).astype(np.int32).view(np.float32)
    return np.asarray(np.where(order < 0, -bits, bits), np.float32)


def order_of(value: np.ndarray | float) -> np.ndarray:
    """The places of float32 numbers, int64; NaN is not allowed."""
    bits = np.asarray(value, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF) - 1, bits)


INFINITY = int(order_of(np.inf))
LARGEST = INFINITY - 1
_NUMBERS, _MOST_PARTS = 4096, 64  # that a search looks at in one step, and into how many parts it divides each interval


def first_where(reached: Predicate, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The first place in [low, high] at which ``reached(places)`` holds, or ``high`` where it holds nowhere before.

    ``reached`` takes places [P, ...] of the shape of ``low`` and ``high`` behind P, and once it holds it holds for all
    places behind. It is asked about many places at once where there are few searches, because a call costs more than
    its numbers then.
    """
    parts = max(2, min(_MOST_PARTS, _NUMBERS // max(1, low.size)))
    share = np.arange(1, parts).reshape(-1, *(1,) * low.ndim)
    while (low < high).any():
        places = low + (high - low) * share // parts
        yes = reached(places) | (low == high)
        last_no = np.where(yes, low - 1, places).max(axis=0)
        low, high = last_no + 1, np.where(yes, places, high).min(axis=0)
    return low
