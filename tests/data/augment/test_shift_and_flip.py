"""Images move by whole pixels, mirrored at the border, and half of them are flipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from b2nn_tvm.data.augment.shift_and_flip import shift_and_flip


@pytest.mark.parametrize("shape", [(8, 3, 6, 9), (8, 1, 9, 6)])
def test_it_is_a_crop_of_the_padded_image(shape: tuple[int, ...]) -> None:
    """The numbers are drawn in this order, on which finished trainings depend."""
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    count, _, height, width = shape
    source = np.random.default_rng(3)
    down, right = source.integers(0, 5, size=(2, count))
    flips = source.random(count) < 0.5
    padded = F.pad(images.float(), (2,) * 4, mode="reflect")
    crops = [padded[n, :, down[n] : down[n] + height, right[n] : right[n] + width] for n in range(count)]
    expected = torch.stack([crop.flip(2) if flip else crop for crop, flip in zip(crops, flips, strict=True)])
    moved = shift_and_flip(images, 2, np.random.default_rng(3))
    assert moved.dtype == torch.uint8 and torch.equal(moved.float(), expected) and len(set(flips)) == 2
    assert torch.equal(shift_and_flip(images.double(), 2, np.random.default_rng(3)), expected.double())


def test_an_image_of_one_pixel_stays() -> None:
    one = torch.full((2, 1, 1, 1), 7.0)
    assert torch.equal(shift_and_flip(one, 1, np.random.default_rng(0)), one)
