"""The errors of an input that becomes its sign, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from b2nn_tvm.mixbin.scoring.input_error import ERRORS


def error(name: str, *batches: list[float]) -> float:
    metric = ERRORS[name]
    return metric.value(sum(metric.add(torch.tensor(batch)) for batch in batches))


def test_the_errors_by_hand():
    """The signs of 0.5, -2, 0 and 1 are 1, -1, 1 and 1: they are wrong by 0.5, 1, 1 and 0."""
    x = [0.5, -2.0, 0.0, 1.0]
    assert error("rms", x) == pytest.approx(math.sqrt((0.25 + 1 + 1) / 4))
    assert error("relative-rms", x) == pytest.approx(math.sqrt((0.25 + 1 + 1) / (0.25 + 4 + 1)))
    assert error("unsaturated", x) == pytest.approx((0.75 + 0 + 1 + 0) / 4)


@pytest.mark.parametrize("name", ERRORS)
def test_batches_of_unlike_sizes_count_by_their_elements(name):
    assert error(name, [0.5, -2.0, 0.0], [1.0]) == pytest.approx(error(name, [0.5, -2.0, 0.0, 1.0]))


@pytest.mark.parametrize("name", ERRORS)
def test_signs_lose_nothing(name):
    assert error(name, [1.0, -1.0, 1.0]) == 0


def test_an_input_of_zeros_has_a_huge_relative_error():
    assert error("relative-rms", [0.0, 0.0]) == pytest.approx(math.sqrt(2e30))
