"""The sentence in a bundle's README."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.preprocess.in_words import in_words
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize

PHOTO = Preprocess(Resize("shorter", 256, 256), (224, 224), "rgb", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ("its shorter side becomes 256 pixels long", "its middle of 224x224 pixels", "red, green, blue.")),
        ({"resize": Resize("shorter", 256, 320)}, ("in its own ratio, to cover 320x256 pixels",)),
        ({"resize": Resize("stretch", 256, 320)}, ("stretched to 320x256 pixels",)),
        ({"resize": Resize("none", 224, 224), "crop": None}, ("must have 224x224 pixels, and the input is",)),
        ({"channels": "bgr"}, ("blue, green, red",)),
        ({"baked": True}, ("its bytes in the order red, green, blue are the input", "the network itself computes")),
    ],
)
def test_it_says_what_is_done(change, words):
    text = in_words(replace(PHOTO, **change))
    assert all(word in text for word in (*words, "mean 0.485, 0.456, 0.406 and std 0.229")), text
