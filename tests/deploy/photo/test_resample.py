"""Resizing is the same to the last byte as its definition in numpy, which is Pillow's BILINEAR, rows first."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.support.deploy.photo_parts import View
from tests.support.deploy.photos import scene

# Heights and widths before and after.
SIZES = [
    ((40, 50), (40, 50)),
    ((123, 217), (40, 50)),
    ((123, 217), (32, 32)),
    ((7, 5), (40, 50)),
    ((40, 500), (39, 50)),
    ((33, 50), (40, 21)),
    ((1, 1), (3, 4)),
    ((3, 1), (2, 1)),
    ((480, 640), (224, 224)),
    ((500, 50), (30, 49)),
    ((301, 299), (224, 223)),
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_the_bytes_are_pillows(parts, before, after, channels):
    pixels = scene(*before, channels=channels)
    pixels[:: max(1, before[0] // 3), ::2] = 255  # sharp edges as well
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    narrow = image.resize((after[1], before[0]), Image.Resampling.BILINEAR)  # rows first, whatever Pillow's order is
    want = np.asarray(narrow.resize(after[::-1], Image.Resampling.BILINEAR)).reshape(*after, channels)
    np.testing.assert_array_equal(parts.resize(pixels, *after), want)


@pytest.mark.parametrize(
    ("before", "full", "box"), [((123, 217), (60, 80), (7, 11, 40, 50)), ((9, 8), (30, 33), (29, 0, 1, 33))]
)
def test_a_part_is_a_part_of_the_whole(parts, before, full, box):
    top, left, height, width = box
    pixels = scene(*before)
    part = parts.resample(pixels, View(full[1], full[0], left, top, width, height))
    np.testing.assert_array_equal(part, parts.resize(pixels, *full)[top : top + height, left : left + width])


def test_white_stays_white_and_a_line_of_a_million_pixels_fits(parts):
    white = np.full((1, 1_000_000, 1), 255, np.uint8)
    assert (parts.resize(white, 1, 3) == 255).all()
    assert (parts.resample(white[:, :3], View(3_000_000, 1_000_000, 1_500_000, 500_000, 4, 4)) == 255).all()
