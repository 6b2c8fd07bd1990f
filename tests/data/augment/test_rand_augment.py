"""RandAugment's operations are Pillow's, image by image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from b2nn_tvm.data.augment.rand_augment import OPERATIONS, rand_augment

STRENGTH = 0.5
FACTOR = 1 + 0.9 * STRENGTH
# Pillow's form of each operation of the strength 0.5.
PILLOW: dict[str, Callable[[Image.Image], Image.Image]] = {
    "identity": lambda image: image,
    "autocontrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "solarize": lambda image: ImageOps.solarize(image, 128),
    "posterize": lambda image: ImageOps.posterize(image, 6),
    "color": lambda image: ImageEnhance.Color(image).enhance(FACTOR),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(FACTOR),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(FACTOR),
    "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(FACTOR),
}


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Noise, few levels, one level alone, and a dark one."""
    source = np.random.default_rng(0)
    noise = source.integers(0, 256, (4, 3, 16, 20), np.uint8)
    noise[1] = noise[1] // 64 * 50 + 20
    noise[2] = 77
    noise[3] = noise[3] // 5
    return torch.from_numpy(noise)


@pytest.mark.parametrize("name", PILLOW)
@pytest.mark.parametrize("channels", [3, 1])
def test_an_operation_on_values_is_pillows(images: torch.Tensor, name: str, channels: int) -> None:
    batch = images[:, :channels].clone()
    changed = OPERATIONS[name](batch, torch.full((4,), STRENGTH))
    assert changed.dtype == torch.uint8 and changed.shape == batch.shape
    for before, after in zip(batch, changed, strict=True):
        pixels = before.permute(1, 2, 0).numpy()
        picture = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
        expected = np.asarray(PILLOW[name](picture), np.int64).reshape(pixels.shape)
        exact = name in ("identity", "equalize", "solarize", "posterize")
        difference = np.abs(after.permute(1, 2, 0).numpy() - expected).max()
        assert difference <= (0 if exact else 2), name


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(PILLOW)))
def test_an_operation_on_places_moves_them_both_ways_and_keeps_the_middle(name: str) -> None:
    """A cross of two lines: what is in the middle stays there, unless all is moved."""
    image = torch.zeros(1, 1, 33, 33, dtype=torch.uint8)
    image[..., 16, :] = image[..., :, 16] = 255
    one, other = (OPERATIONS[name](image, torch.tensor([sign * STRENGTH])) for sign in (1.0, -1.0))
    assert not torch.equal(one, image) and not torch.equal(one, other)
    assert torch.equal(OPERATIONS[name](image, torch.zeros(1)), image)
    if "translate" in name:
        line = one[0, 0, 0] if name.endswith("x") else one[0, 0, :, 0]
        moved = 16 - 33 * STRENGTH * 150 / 331
        assert abs(int(line.argmax()) - moved) < 1
    else:
        assert int(one[0, 0, 16, 16]) > 200
        flip = (3,) if name in ("rotate", "shear-x", "shear-y") else ()
        assert (one.flip(flip).int() - other.int()).abs().max() <= 1  # mirrored, it is the other direction


def test_each_image_gets_operations_of_its_own(images: torch.Tensor) -> None:
    """The same ones by the same seed; the images that came stay as they are."""
    many = images[:1].expand(64, -1, -1, -1).clone()
    before = many.clone()
    one, again = (rand_augment(many, 2, 9, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one, again) and torch.equal(many, before)
    assert len({image.numpy().tobytes() for image in one}) > 30
    assert torch.equal(rand_augment(many, 0, 9, np.random.default_rng(5)), many)


def test_strong_operations_stay_within_the_bytes(images: torch.Tensor) -> None:
    for name, operation in OPERATIONS.items():
        for strength in (1.0, -1.0):
            changed = operation(images[:, :1], torch.full((4,), strength))
            assert changed.dtype == torch.uint8 and changed.shape == (4, 1, 16, 20), name
    tiny = torch.full((1, 3, 2, 2), 9, dtype=torch.uint8)
    assert torch.equal(OPERATIONS["sharpness"](tiny, torch.ones(1)), tiny)
