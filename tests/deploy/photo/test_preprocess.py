"""An image becomes the input as the manifest says: resized, cropped, its channels in order, normalized or not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.deploy.photo_network import build, change_manifest, expected, preprocess
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import output_words, start

SIZE = {"height": 40, "width": 50}
SQUARE = {"height": 48, "width": 48}


def text(**changes) -> str:
    return json.dumps(preprocess((40, 50), **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interpolation": "bicubic"}, "interpolation is not bilinear-antialias"),
        ({"resize": {"mode": "longer", **SIZE}}, "resize is not understood"),
        ({"resize": {"mode": "stretch", "height": 0, "width": 9}}, "resize is not understood"),
        ({"resize": {"mode": "stretch", "height": 9.5, "width": 9}}, "resize is not understood"),
        ({"resize": None}, "resize is not understood"),
        ({"channels": "rgba"}, "channels is none of rgb, bgr and gray"),
        ({"baked": None}, "baked is neither true nor false"),
        ({"crop": {"height": 40}}, "crop is not understood"),
        ({"crop": {"height": 41, "width": 50}}, "crop does not fit resize"),
        ({"resize": {"mode": "shorter", **SQUARE}}, "crop does not fit resize"),
        ({"mean": [0.5]}, "mean and std are not a number for each channel"),
        ({"mean": [0.5] * 4}, "mean and std are not a number for each channel"),
        ({"mean": [0.5, 0.5, "x"]}, "mean and std are not a number for each channel"),
        ({"std": [1, 1, 0]}, "std is zero"),
    ],
)
def test_what_is_wrong_is_named(parts, changes, message):
    assert parts.preprocess(text(**changes)) == message


def test_what_is_right_is_read(parts):
    crop = {"height": 32, "width": 33}
    made = parts.preprocess(text(resize={"mode": "shorter", **SQUARE}, crop=crop, channels="bgr", baked=True))
    assert (made.resize, made.channels, made.baked) == (1, 1, 1)
    assert (made.height, made.width, made.crop_height, made.crop_width) == (48, 48, 32, 33)
    assert [*made.mean] == pytest.approx([0.485, 0.456, 0.406]) and [*made.std] == pytest.approx([0.229, 0.224, 0.225])


def covering(width: int, height: int, full: tuple[int, int]) -> tuple[int, int]:
    """The smallest size of the image's ratio that covers ``full``, both (height, width)."""
    high, wide = full
    return (wide * height // width, wide) if width * high <= height * wide else (high, high * width // height)


@pytest.mark.parametrize("size", [(100, 100), (50, 100), (100, 51), (33, 47), (1, 2000), (1999, 3)])
def test_the_shorter_side_and_the_middle(parts, size):
    """The middle is that of torchvision, round(difference / 2), which rounds halves to even."""
    made = parts.preprocess(text(resize={"mode": "shorter", **SQUARE}, crop={"height": 33, "width": 40}))
    seen = parts.view(made, *size)
    high, wide = covering(*size, (48, 48))
    assert (seen.full_height, seen.full_width) == (high, wide)
    assert (seen.top, seen.left) == (round((high - 33) / 2), round((wide - 40) / 2))
    assert (seen.height, seen.width) == (33, 40)


def test_without_resizing_the_size_must_fit(parts):
    made = parts.preprocess(text(resize={"mode": "none", **SIZE}, crop={"height": 10, "width": 11}))
    seen = parts.view(made, 50, 40)
    assert (seen.top, seen.left, seen.height, seen.width) == (15, 20, 10, 11)
    assert parts.view(made, 40, 50).startswith("the network takes images of 50x40 pixels as they are, not 40x50")


CASES = {
    "stretch": {},
    "shorter": {"resize": {"mode": "shorter", **SQUARE}, "crop": {"height": 33, "width": 40}},
    "bgr": {"channels": "bgr"},
    "gray": {"channels": "gray", "mean": [0.4], "std": [-0.3]},
    "baked": {"baked": True},
}


@pytest.mark.parametrize("case", CASES)
def test_the_input_is_pythons_to_the_last_bit(workshop, tmp_path, case):
    how = preprocess((40, 50), **CASES[case])
    net = build(workshop, f"preprocess {case}", how, labels=None)
    photo = picture(123, 217)
    photo.save(tmp_path / "photo.png")
    out = [tmp_path / "scores.npy", tmp_path / "copy.npy"]
    done = start(net, net, tmp_path / "photo.png", *output_words(out))
    assert (done.returncode, done.stderr) == (0, "")
    seen = photo.convert("L") if case == "gray" else photo
    size = covering(217, 123, (48, 48)) if case == "shorter" else (40, 50)
    narrow = seen.resize((size[1], 123), Image.Resampling.BILINEAR)
    pixels = np.asarray(narrow.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, -1)
    if case == "shorter":
        top, left = round((size[0] - 33) / 2), round((size[1] - 40) / 2)
        pixels = pixels[top : top + 33, left : left + 40]
    if case == "bgr":
        pixels = pixels[..., ::-1]
    np.testing.assert_array_equal(np.load(out[1]), expected(pixels, how))


def test_the_network_must_take_what_it_makes(workshop, tmp_path):
    net = build(workshop, "takes another", preprocess((40, 50)))
    picture(9, 9).save(tmp_path / "a.png")
    for changes, message in (
        ({"baked": True}, "makes uint8 of 1x40x50x3, but the network takes float32 of 1x3x40x50"),
        ({"resize": {"mode": "stretch", "height": 50, "width": 40}}, "makes float32 of 1x3x50x40, but the network"),
    ):
        change_manifest(net, preprocess=preprocess((40, 50), **changes))
        done = start(net, tmp_path / "a.png")
        assert (done.returncode, done.stdout) == (1, "") and message in done.stderr
