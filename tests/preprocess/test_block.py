"""The block in manifest.json is read and written whole; a damaged one is refused with what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.block import block_of, read_block
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize

PHOTO = Preprocess(Resize("shorter", 256, 256), (224, 224), "rgb", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "x")


def test_the_block_is_as_documented():
    assert block_of(PHOTO) == {
        "input": "x",
        "resize": {"mode": "shorter", "height": 256, "width": 256},
        "crop": {"height": 224, "width": 224},
        "channels": "rgb",
        "interpolation": "bilinear-antialias",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "baked": False,
    }


@pytest.mark.parametrize(
    "one", [PHOTO, replace(PHOTO, baked=True), replace(PHOTO, resize=Resize("stretch", 8, 9), crop=None)]
)
def test_it_survives_writing_and_reading(one):
    assert read_block(json.loads(json.dumps(block_of(one)))) == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "cmyk"}, "preprocess/channels is not as expected"),
        ({"interpolation": "bicubic"}, "preprocess/interpolation is not as expected"),
        ({"mean": "0.5"}, "preprocess/mean is not as expected"),
        ({"resize": {"mode": "shorter"}}, "preprocess/resize is not as expected"),
        ({"more": 1}, "preprocess is not as expected.*'more'"),
        ({"std": [1, 1]}, "for each of the 3 channels, but there are 3 and 2"),
    ],
)
def test_a_damaged_block_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        read_block({**block_of(PHOTO), **change})


def test_numbers_are_taken_as_json_has_them():
    whole = {"mode": "shorter", "height": 256.0, "width": 256}
    assert repr(read_block({**block_of(PHOTO), "resize": whole, "mean": [0, 0, 1]}).resize) == repr(PHOTO.resize)
    with pytest.raises(InputError, match="within the range of floats"):
        read_block({**block_of(PHOTO), "mean": [10**400, 0, 0]})


def test_what_is_no_block_is_refused():
    with pytest.raises(InputError, match="preprocess is not as expected: 3 is not of type 'object'"):
        read_block(3)
