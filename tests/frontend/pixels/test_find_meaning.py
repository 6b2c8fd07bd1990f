"""What is given comes before what the file says, and nothing that does not fit the network is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.pixels.find_meaning import Given, find_meaning
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize

SAID = replace(Preprocess.covering((3, 8, 6), (0.5,) * 3, (0.25,) * 3), input="x")
INPUTS = {"x": ("float32", (1, 3, 8, 6))}
OUTPUTS = {"boxes": ("float32", (1, 4, 9)), "scores": ("float32", (1, 2, 1, 1))}


def found(said: Meaning = UNKNOWN, *, inputs=INPUTS, **given) -> Meaning:
    return find_meaning(said, Given(**given), inputs=inputs, outputs=OUTPUTS)


def test_nothing_is_made_up():
    assert found() == UNKNOWN


def test_the_file_is_believed_where_nothing_is_given():
    assert found(Meaning(SAID, ("a", "b"))) == Meaning(SAID, ("a", "b"))
    pixels = replace(SAID, baked=True)
    assert found(Meaning(pixels), inputs={"x": ("uint8", (1, 8, 6, 3))}).preprocess == pixels


def test_what_is_given_comes_first():
    given = found(Meaning(SAID, ("a", "b")), mean=[0.1, 0.2, 0.3], std=[1.0], labels=["c", "d\n"])
    assert given.preprocess == replace(SAID, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0)) and given.labels == ("c", "d")
    two = {**INPUTS, "threshold": ("float32", (1,)), "flags": ("bool", (1, 3, 8, 6))}
    assert found(mean=[0.0], std=[1.0], inputs=two).preprocess.input == "x"  # the only one that may be a picture


def test_the_way_to_resize_and_the_order_of_colors_are_as_given():
    given = found(mean=[0.1, 0.2, 0.3], std=[1.0], resize=9, channels="bgr").preprocess
    assert (given.resize, given.crop, given.channels) == (Resize("shorter", 9, 9), (8, 6), "bgr")
    whole = found(Meaning(given), mean=[0.5], std=[1.0], resize="stretch").preprocess
    assert (whole.resize, whole.crop, whole.channels) == (Resize("stretch", 8, 6), None, "rgb")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": [0.5]}, "mean and std belong together"),
        ({"mean": [0.5, 0.5], "std": [1.0]}, "for each of the 3 channels, but there are 2 and 3"),
        ({"resize": 256}, "resize and channels go with mean and std: give these, too"),
        ({"said": Meaning(SAID), "channels": "bgr"}, "resize and channels go with mean and std"),
        ({"mean": [0.5], "std": [1.0], "resize": "squash"}, "cover, stretch, none, or the pixels of .*'squash'"),
        ({"mean": [0.5], "std": [1.0], "resize": 7}, "7 pixels is less than the input has, 6x8: give at least 8"),
        ({"mean": [0.5], "std": [1.0], "channels": "rbg"}, "in the order rgb or bgr, but got 'rbg'"),
        (
            {"mean": [0.5], "std": [1.0], "channels": "bgr", "inputs": {"x": ("float32", (1, 1, 8, 6))}},
            "the input 'x' is gray and has no order of channels",
        ),
        ({"labels": ["a", "b", "c"]}, r"there are 3 names, and the outputs are 'boxes' of float32 1x4x9, 'scores'"),
        (
            {"mean": [0.5], "std": [1.0], "inputs": {**INPUTS, "y": ("float32", (1, 1, 2, 2))}},
            r"one input of float32 .* but the inputs are 'x' of float32 1x3x8x6, 'y' of float32 1x1x2x2",
        ),
        ({"mean": [0.5], "std": [1.0], "inputs": {"x": ("float32", (2, 3, 8, 6))}}, "one input of float32"),
        ({"said": Meaning(SAID), "inputs": {"x": ("float32", (1, 3, 9, 9))}}, "'x' of 1x3x8x6, but .* 1x3x9x9"),
        ({"said": Meaning(SAID), "inputs": {"y": ("float32", (1, 3, 8, 6))}}, "'x' of 1x3x8x6, but .* 'y'"),
        ({"said": Meaning(replace(SAID, baked=True))}, "'x' of 1x8x6x3, but the inputs are 'x' of float32"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        found(**given)
