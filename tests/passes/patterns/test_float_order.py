"""The places of float32 numbers are in their order, without gaps, and searches end at the first place that counts."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.passes.patterns.float_order import INFINITY, LARGEST, first_where, float_of, order_of

NUMBERS = np.array([-np.inf, -3.4e38, -1, -1e-45, -0.0, 0.0, 1e-45, 1e-30, 1, 3.4e38, np.inf], np.float32)


def test_places_are_in_the_order_of_the_numbers():
    places = order_of(NUMBERS)
    assert (np.diff(places) > 0).all()
    assert list(places[[4, 5]]) == [-1, 0] and places[-1] == INFINITY == LARGEST + 1
    np.testing.assert_array_equal(float_of(places).view(np.int32), NUMBERS.view(np.int32))


def test_neighbours_are_next_to_each_other():
    numbers = NUMBERS[[1, 2, 6, 7, 8]]
    np.testing.assert_array_equal(float_of(order_of(numbers) + 1), np.nextafter(numbers, np.float32(np.inf)))


@pytest.mark.parametrize("count", [1, 1000, 5000], ids=["one", "some", "many"])
def test_a_search_finds_the_first_place(count):
    """However many places it looks at in one step."""
    limits = np.resize(np.array([-1.5, 0.3, 1e-40, 0, -3e38], np.float32), count)
    low, high = np.full(count, -INFINITY - 1), np.full(count, INFINITY)
    found = first_where(lambda places: float_of(places) >= limits, low, high)
    np.testing.assert_array_equal(float_of(found), limits)
    nowhere = first_where(lambda places: np.zeros(places.shape, bool), low, high)
    np.testing.assert_array_equal(nowhere, high)


def test_intervals_may_be_of_any_length():
    low = np.arange(60).reshape(4, 15)
    high = low + low % 7
    limits = np.arange(60)[::-1].reshape(4, 15)
    np.testing.assert_array_equal(first_where(lambda places: places >= limits, low, high), np.clip(limits, low, high))
