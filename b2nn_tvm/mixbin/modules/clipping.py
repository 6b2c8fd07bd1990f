"""The range of values that codes should cover: calibration from the histogram of a layer's input.

percentile    all but the largest and the smallest 0.01 % of the values (each where there are such values)
mse           the range whose quantization has the least squared error (over a grid of shrunken ranges)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from b2nn_tvm.errors import InputError

BINS = 2048
TAIL = 1e-4  # of the values, cut off at either end
SHRUNKEN = 100  # ranges that the least squared error is looked for among


@dataclass(frozen=True)
class Histogram:
    """How often values occur: ``counts`` [BINS] of equal bins from ``low`` to ``high``; low <= 0 <= high."""

    low: float
    high: float
    counts: torch.Tensor

    @property
    def centers(self) -> torch.Tensor:
        """The middle of each bin, float64."""
        width = (self.high - self.low) / len(self.counts)
        return self.low + width * (torch.arange(len(self.counts), dtype=torch.float64) + 0.5)

    def mean_positive(self) -> float:
        """The mean of max(x, 0)."""
        return float((self.counts * self.centers.clamp(min=0)).sum() / self.counts.sum())


def count(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """How many of ``values``, which lie from ``low`` to ``high``, are in each bin; float64."""
    return torch.histc(values.detach().double().flatten().cpu(), bins=BINS, min=low, max=high)


def clip(histogram: Histogram, method: str, *, levels: int) -> tuple[float, float]:
    """The range for codes 0 .. ``levels`` by ``method``, low <= 0 <= high; raises InputError for another method."""
    check(method)
    if histogram.low == histogram.high:  # nothing but zeros
        return (0.0, 1.0)
    return _METHODS[method](histogram, levels)


def names() -> tuple[str, ...]:
    """The methods that ``clip`` knows."""
    return tuple(_METHODS)


def check(method: str) -> None:
    """Raises InputError, with the choices, for an unknown method."""
    if method not in _METHODS:
        raise InputError(f"there is no calibration {method!r}; choose one of {', '.join(_METHODS)}")


def scale_and_zero(low: float, high: float, levels: int) -> tuple[float, int]:
    """The step and the code of zero for the range, in which zero has a code of its own."""
    step = (high - low) / levels
    return step, round(-low / step)


def _percentile(histogram: Histogram, levels: int) -> tuple[float, float]:
    shares = histogram.counts.cumsum(0) / histogram.counts.sum()
    width = (histogram.high - histogram.low) / len(shares)
    first = int(torch.searchsorted(shares, torch.tensor(TAIL, dtype=shares.dtype), right=True))
    last = int(torch.searchsorted(shares, torch.tensor(1 - TAIL, dtype=shares.dtype)))
    low, high = histogram.low + width * first, histogram.low + width * (last + 1)
    low, high = min(low, 0.0) if histogram.low < 0 else 0.0, max(high, 0.0)
    return (low, high) if high > low else (histogram.low, histogram.high)


def _least_squares(histogram: Histogram, levels: int) -> tuple[float, float]:
    best, least = (histogram.low, histogram.high), torch.inf
    for index in range(SHRUNKEN, 0, -1):
        low, high = histogram.low * index / SHRUNKEN, histogram.high * index / SHRUNKEN
        error = _squared_error(histogram, low, high, levels)
        if error < least:
            best, least = (low, high), error
    return best


def _squared_error(histogram: Histogram, low: float, high: float, levels: int) -> float:
    """The squared error of all values, taken at the middle of their bins."""
    step, zero = scale_and_zero(low, high, levels)
    codes = (histogram.centers / step).round().clamp(-zero, levels - zero)
    return float((histogram.counts * (codes * step - histogram.centers).square()).sum())


_METHODS: dict[str, Callable[[Histogram, int], tuple[float, float]]] = {
    "mse": _least_squares,
    "percentile": _percentile,
}
