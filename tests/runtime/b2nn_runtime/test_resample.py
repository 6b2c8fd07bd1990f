"""Resizing is the same to the last byte as Pillow's BILINEAR, rows first."""

from __future__ import annotations

import numpy as np
import pytest
from b2nn_runtime.resample import resample
from PIL import Image

from tests.support.deploy.photos import scene


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("before", "after"),
    [((40, 50), (40, 50)), ((123, 217), (40, 50)), ((400, 50), (30, 41)), ((7, 5), (40, 50)), ((1, 1), (3, 4))],
)
def test_the_bytes_are_pillows(before, after, channels):
    pixels = scene(*before, channels=channels)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    narrow = image.resize((after[1], before[0]), Image.Resampling.BILINEAR)
    want = np.asarray(narrow.resize(after[::-1], Image.Resampling.BILINEAR)).reshape(*after, channels)
    np.testing.assert_array_equal(resample(pixels, after, 0, 0, after), want)


def test_a_part_is_a_part_of_the_whole():
    pixels = scene(123, 217)
    whole = resample(pixels, (60, 80), 0, 0, (60, 80))
    np.testing.assert_array_equal(resample(pixels, (60, 80), 7, 11, (40, 50)), whole[7:47, 11:61])
