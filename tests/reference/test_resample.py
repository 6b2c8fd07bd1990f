"""The definition of resizing against Pillow, whose C code it describes, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.reference.resample import BITS, resample, weights

BILINEAR = Image.Resampling.BILINEAR
LENGTHS = (1, 2, 3, 7, 32, 63, 65, 224)


def pillow(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = Image.fromarray(pixels).resize((width, pixels.shape[0]), BILINEAR)
    return np.asarray(rows.resize((width, height), BILINEAR))


def test_every_pair_of_lengths_is_pillows_in_both_directions():
    source = np.random.default_rng(0)
    for before in LENGTHS:
        for after in LENGTHS:
            row = source.integers(0, 256, (2, before), np.uint8)
            assert np.array_equal(resample(row, 2, after), pillow(row, 2, after)), (before, after)
            column = np.ascontiguousarray(row.T)
            assert np.array_equal(resample(column, after, 2), pillow(column, after, 2)), (before, after)


@pytest.mark.parametrize(("before", "after"), [((40, 33), (13, 32)), ((30, 20), (60, 15)), ((5, 7), (9, 3))])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_picture_is_resized_along_its_rows_first(before, after, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (*before, *channels), np.uint8)
    assert np.array_equal(resample(pixels, *after), pillow(pixels, *after))
    columns_first = np.swapaxes(resample(np.swapaxes(pixels, 0, 1), *after[::-1]), 0, 1)
    assert not np.array_equal(resample(pixels, *after), columns_first)  # the order shows


def test_a_length_that_stays_is_left_alone():
    pixels = np.random.default_rng(2).integers(0, 256, (9, 5, 3), np.uint8)
    assert np.array_equal(resample(pixels, 9, 5), pixels)


def test_weights_add_up_to_one_but_for_their_rounding():
    firsts, factors = weights(100, 7)
    assert firsts.tolist() == sorted(firsts.tolist()) and firsts[0] == 0
    assert np.abs(factors.sum(1) - (1 << BITS)).max() <= factors.shape[1] / 2


@pytest.mark.sweep
def test_random_sizes_are_pillows():
    source = np.random.default_rng(3)
    for _ in range(500):
        before, after = source.integers(1, 300, 2), source.integers(1, 300, 2)
        pixels = source.integers(0, 256, (*before, 3), np.uint8)
        assert np.array_equal(resample(pixels, *map(int, after)), pillow(pixels, *map(int, after))), (before, after)
