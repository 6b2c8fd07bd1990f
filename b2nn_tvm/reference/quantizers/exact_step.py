"""The threshold of a function of floats that takes two values, found exactly: the least float at which it is high."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}


def exact_threshold(is_high: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The least float t for which ``is_high(t)``, for each element of ``shape``: ``is_high(x)`` equals ``x >= t``.

    ``is_high`` is monotone: false, then true. It is evaluated in ``dtype``, so the threshold includes whatever its
    operators round. Where it is false everywhere t is +inf, which is right for every finite x.
    """
    low = np.full(shape, _order(np.array(-np.inf, dtype)), np.int64)
    high = np.full(shape, _order(np.array(np.inf, dtype)), np.int64)
    with np.errstate(all="ignore"):
        while (low < high).any():
            middle = (low >> 1) + (high >> 1) + (low & high & 1)  # the mean, rounded down, without overflow
            yes = np.broadcast_to(is_high(_float(middle, dtype)), shape)
            low, high = np.where(yes | (low >= high), low, middle + 1), np.where(yes, middle, high)
    return _float(high, dtype)


def _order(value: np.ndarray) -> np.ndarray:
    """The place of floats in their order, in which -0.0 and 0.0 have the same one."""
    bits = value.view(_INTEGERS[value.dtype.itemsize]).astype(np.int64)
    without_sign = bits & (2 ** (8 * value.dtype.itemsize - 1) - 1)
    return np.where(bits >= 0, bits, -without_sign)


def _float(order: np.ndarray, dtype: np.dtype) -> np.ndarray:
    integer = _INTEGERS[dtype.itemsize]
    magnitude = np.abs(order).astype(integer).view(dtype)
    result: np.ndarray = np.where(order < 0, -magnitude, magnitude).astype(dtype)
    return result
