"""Crops of random area in the size of the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm.data.augment.random_resized import random_crop, random_resized


def test_a_batch_shows_what_pillow_crops() -> None:
    """Of smooth images: Pillow weighs the pixels at the border of a crop in another way."""
    rows, columns = np.mgrid[0:24, 0:32]
    pixels = (100 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 11)).astype(np.uint8)
    shown = random_resized(torch.from_numpy(pixels).expand(6, 1, -1, -1), 0.3, np.random.default_rng(2))
    source = np.random.default_rng(2)
    flips = []
    for image in shown[:, 0].numpy():
        box, flipped = random_crop(32, 24, 32 / 24, 0.3, source)
        expected = np.asarray(Image.fromarray(pixels).resize((32, 24), Image.Resampling.BILINEAR, box=box))
        assert np.abs(image.astype(int) - (expected[:, ::-1] if flipped else expected)).max() <= 3
        flips.append(flipped)
    assert shown.dtype == torch.uint8 and len(set(flips)) == 2


@pytest.mark.parametrize(("width", "height"), [(20, 30), (300, 7)])
def test_a_crop_lies_in_the_image(width: int, height: int) -> None:
    source = np.random.default_rng(0)
    for _ in range(100):
        (left, top, right, bottom), _ = random_crop(width, height, 1.0, 0.5, source)
        assert 0 <= left < right <= width + 1e-9 and 0 <= top < bottom <= height + 1e-9


def test_floats_stay_floats() -> None:
    images = torch.randn(3, 2, 8, 8)
    shown = random_resized(images, 0.5, np.random.default_rng(0))
    assert shown.shape == images.shape and shown.dtype == torch.float32
    assert float(shown.min()) >= float(images.min()) - 1e-5 and float(shown.max()) <= float(images.max()) + 1e-5
