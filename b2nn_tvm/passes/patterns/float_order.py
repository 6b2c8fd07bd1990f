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


def first_where(reached: Predicate, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The first place in [low, high] at which ``reached(places)`` holds, or ``high`` where it holds nowhere before.

    ``reached`` takes places of the shape of ``low`` and ``high``, and once it holds it holds for all places behind.
    """
    while (low < high).any():
        middle = (low + high) >> 1
        yes = reached(middle) | (low == high)
        low, high = np.where(yes, low, middle + 1), np.where(yes, middle, high)
    return low
