"""Ranges are those that brute force over the values finds."""

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules import clipping
from b2nn_tvm.mixbin.modules.clipping import Histogram, clip, count, scale_and_zero


def histogram(x: torch.Tensor) -> Histogram:
    low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
    return Histogram(low, high, count(x, low, high))


def heavy(signed: bool) -> torch.Tensor:
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(1)) ** 3
    return x if signed else x.clamp(min=0)


def error(x: torch.Tensor, low: float, high: float, levels: int) -> float:
    step, zero = scale_and_zero(low, high, levels)
    return float((((x / step).round() + zero).clamp(0, levels).sub(zero) * step - x).square().mean())


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("levels", [15, 255])
def test_mse_is_the_best_of_shrunken_ranges(signed, levels):
    x = heavy(signed)
    low, high = clip(histogram(x), "mse", levels=levels)
    lowest, highest = min(0.0, float(x.min())), float(x.max())
    best = min(error(x, lowest * part / 100, highest * part / 100, levels) for part in range(1, 101))
    assert error(x, low, high, levels) <= 1.02 * best
    assert levels == 255 or best < 0.7 * error(x, lowest, highest, levels)
    assert (low == 0) is not signed


@pytest.mark.parametrize("signed", [False, True])
def test_percentile_cuts_one_value_in_ten_thousand(signed):
    x = heavy(signed)
    found = histogram(x)
    low, high = clip(found, "percentile", levels=255)
    width = (found.high - found.low) / clipping.BINS
    assert abs(high - float(torch.quantile(x, 1 - clipping.TAIL))) <= 2 * width
    assert abs(low - min(0.0, float(torch.quantile(x, clipping.TAIL)))) <= 2 * width


def test_zero_has_a_code_of_its_own():
    step, zero = scale_and_zero(-1.0, 3.0, 255)
    assert (step, zero) == (4 / 255, 64)


def test_nothing_but_zeros_has_a_range_too():
    assert clip(histogram(torch.zeros(9)), "mse", levels=255) == (0.0, 1.0)


def test_the_mean_of_what_is_above_zero():
    x = heavy(True)
    assert histogram(x).mean_positive() == pytest.approx(float(x.clamp(min=0).mean()), rel=0.02)


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="entropy.*mse, percentile"):
        clip(histogram(heavy(False)), "entropy", levels=255)
    assert clipping.names() == ("mse", "percentile")
