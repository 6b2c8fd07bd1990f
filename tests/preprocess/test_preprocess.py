"""From pictures to inputs: sizes, crops, channels and numbers, each against arithmetic spelled out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize, crop_offset
from b2nn_tvm.reference.resample import resample

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PHOTO = Preprocess(Resize("shorter", 16, 16), (14, 14), "rgb", MEAN, STD)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    ("resize", "before", "after"),
    [
        (Resize("shorter", 16, 16), (32, 48), (16, 24)),
        (Resize("shorter", 16, 16), (48, 32), (24, 16)),
        (Resize("shorter", 256, 256), (375, 500), (256, 341)),  # 341.3, as torchvision cuts it off
        (Resize("shorter", 12, 20), (48, 20), (48, 20)),
        (Resize("shorter", 12, 20), (10, 100), (12, 120)),
        (Resize("stretch", 12, 20), (10, 100), (12, 20)),
        (Resize("none", 10, 100), (10, 100), (10, 100)),
    ],
)
def test_the_size_before_the_crop(resize, before, after):
    assert resize.size_of(*before) == after
    assert after[0] >= resize.height and after[1] >= resize.width


@pytest.mark.parametrize(("whole", "offset"), [(14, 0), (15, 0), (16, 1), (17, 2), (18, 2), (19, 2), (21, 4)])
def test_the_middle_is_torchvisions(whole, offset):
    assert crop_offset(whole, 14) == offset == round((whole - 14) / 2.0)
    half, odd = divmod(whole - 14, 2)
    assert offset == half + (half & odd)  # in whole numbers, as on a board


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (16, 16), (9, 200), (200, 9)])
def test_pixels_are_the_middle_of_what_the_definition_makes(size):
    photo = noise(*size)
    high, wide = PHOTO.resize.size_of(*size)
    top, left = crop_offset(high, 14), crop_offset(wide, 14)
    expected = resample(photo, high, wide)[top : top + 14, left : left + 14]
    assert np.array_equal(PHOTO.pixels(Image.fromarray(photo)), expected)


def test_the_input_is_three_rounded_operations_in_the_order_of_channels():
    photo = noise(16, 16)
    value = PHOTO(Image.fromarray(photo))
    assert value.dtype == np.float32 and value.shape == PHOTO.shape == (1, 3, 14, 14) and value.flags.c_contiguous
    v, f = photo[4, 9], np.float32
    for channel in range(3):
        expected = f(f(f(v[channel]) / f(255)) - f(MEAN[channel])) / f(STD[channel])
        assert value[0, channel, 3, 8] == expected
    bgr = replace(PHOTO, channels="bgr", mean=MEAN[::-1], std=STD[::-1])
    assert np.array_equal(bgr(Image.fromarray(photo)), value[:, ::-1])


def test_where_the_network_normalizes_the_input_is_the_pixels():
    photo = Image.fromarray(noise(20, 31))
    baked = replace(PHOTO, baked=True)
    assert baked(photo).shape == baked.shape == (1, 14, 14, 3) and baked(photo).dtype == np.uint8
    assert np.array_equal(PHOTO.normalized(baked(photo)), PHOTO(photo))


def test_gray_is_pillows_sum_of_colors():
    gray = Preprocess.covering((1, 9, 9), (1.0,), (-1.0,))
    red, green, blue = np.moveaxis(noise(9, 9).astype(np.int64), 2, 0)
    expected = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    assert np.array_equal(gray.pixels(Image.fromarray(noise(9, 9)))[:, :, 0], expected)
    assert gray(Image.fromarray(np.full((9, 9), 255, np.uint8))).max() == 0  # paper is 0


def test_every_pixel_comes_back_from_its_normalized_value():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(PHOTO.denormalized(PHOTO.normalized(pixels)), pixels)
    inverted = Preprocess.covering((1, 16, 16), (1.0,), (-1.0,))
    assert np.array_equal(inverted.denormalized(inverted.normalized(pixels[..., :1])), pixels[..., :1])


def test_a_picture_that_must_have_a_size_is_refused_in_another():
    exact = Preprocess(Resize("none", 8, 6), None, "rgb", MEAN, STD)
    assert exact(Image.fromarray(noise(8, 6))).shape == (1, 3, 8, 6)
    with pytest.raises(InputError, match="expected a picture of 6x8 pixels, but it has 8x6"):
        exact(Image.fromarray(noise(6, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "cmyk"}, "expected channels of rgb, bgr, gray"),
        ({"resize": Resize("longer", 16, 16)}, "resizing by stretch, shorter, none"),
        ({"channels": "gray"}, "each of the 1 channels, but there are 3 and 3"),
        ({"std": (1.0, 0.0, 1.0)}, "no deviation of 0"),
        ({"std": (1.0, 1e-60, 1.0)}, "no deviation of 0"),
        ({"mean": (0.0, float("nan"), 0.0)}, "finite numbers"),
        ({"crop": (17, 14)}, "a crop no larger than what is cropped"),
        ({"crop": (0, 14)}, "expected sizes from 1"),
        ({"crop": None}, "must be cropped"),
        ({"resize": Resize("stretch", 1 << 17, 16)}, "expected sizes from 1 to 65536"),
    ],
)
def test_what_contradicts_itself_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(PHOTO, **change)


def test_only_gray_and_color_can_be_pictures():
    with pytest.raises(InputError, match="expected pictures of 3 channels, or of 1 for gray, but they have 4"):
        Preprocess.covering((4, 8, 8), (0.0,) * 4, (1.0,) * 4)
