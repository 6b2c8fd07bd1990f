"""Pixels become the input as the manifest says."""

from __future__ import annotations

import numpy as np
import pytest
from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.preprocess import Preprocess

from tests.support.deploy.photo_network import expected, preprocess
from tests.support.deploy.photos import scene


def test_the_input_is_normalized_and_in_order():
    pixels = scene(40, 50)
    how = preprocess((40, 50))
    np.testing.assert_array_equal(Preprocess.of(how)(pixels), expected(pixels, how))
    bgr = preprocess((40, 50), channels="bgr")
    np.testing.assert_array_equal(Preprocess.of(bgr)(pixels), expected(pixels[..., ::-1], bgr))
    baked = preprocess((40, 50), baked=True)
    np.testing.assert_array_equal(Preprocess.of(baked)(pixels), pixels[None])


def test_gray_and_color_become_one_another():
    pixels = scene(40, 50)
    gray = Preprocess.of(preprocess((40, 50), channels="gray", mean=[0], std=[1], baked=True))
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    luminance = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    np.testing.assert_array_equal(gray(pixels)[0, :, :, 0], luminance)
    color = Preprocess.of(preprocess((40, 50), baked=True))
    np.testing.assert_array_equal(color(pixels[..., :1])[0], np.repeat(pixels[..., :1], 3, axis=2))


def test_the_middle_is_cropped():
    shorter = {"mode": "shorter", "height": 50, "width": 50}
    how = Preprocess.of(preprocess((50, 50), resize=shorter, crop={"height": 33, "width": 41}, baked=True))
    pixels = scene(50, 80)
    np.testing.assert_array_equal(how(pixels)[0], pixels[8:41, 20:61])  # half of 17 is 8, half of 39 is 20: even


def test_without_resizing_the_size_must_fit():
    how = Preprocess.of(preprocess((40, 50), resize={"mode": "none", "height": 40, "width": 50}))
    assert how(scene(40, 50)).shape == how.shape == (1, 3, 40, 50)
    with pytest.raises(RuntimeFault, match="takes images of 50x40 pixels as they are, not 40x50"):
        how(scene(50, 40))


@pytest.mark.parametrize(
    "changes",
    [{"interpolation": "x"}, {"channels": "x"}, {"resize": None}, {"mean": [1]}, {"std": 0}, {"mean": ["x"] * 3}],
)
def test_what_is_not_known_is_refused(changes):
    with pytest.raises(RuntimeFault, match="preprocess is not understood: use a newer b2nn-runtime"):
        Preprocess.of(preprocess((40, 50), **changes))
