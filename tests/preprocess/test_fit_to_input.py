"""The words for resizing give the sizes that they say, and no other word is taken."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.fit_to_input import as_way, fit_to_input
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize


@pytest.mark.parametrize(
    ("way", "resize", "crop"),
    [
        ("cover", Resize("shorter", 6, 8), (6, 8)),
        ("stretch", Resize("stretch", 6, 8), None),
        ("none", Resize("none", 6, 8), None),
        (9, Resize("shorter", 9, 9), (6, 8)),
        ("8", Resize("shorter", 8, 8), (6, 8)),
    ],
)
def test_each_way_gives_the_size_of_the_input(way, resize, crop):
    assert fit_to_input(way, (6, 8)) == (resize, crop)
    made = Preprocess(resize, crop, "gray", (0.5,), (0.5,))
    assert made.shape == (1, 1, 6, 8)
    image = pytest.importorskip("PIL.Image", reason="pictures are made with Pillow; pip install pillow")
    size = (8, 6) if way == "none" else (31, 17)
    assert made(image.fromarray(np.zeros(size[::-1], np.uint8))).shape == made.shape


@pytest.mark.parametrize("word", ["", "squash", "0", "-3", "256.0", "²", "1000000", True, None, 2.5])
def test_another_word_is_refused_with_the_ways(word):
    with pytest.raises(InputError, match="cover, stretch, none, or the pixels of a picture's shorter side"):
        as_way(word)


def test_a_side_that_is_too_short_is_refused_with_what_would_do():
    with pytest.raises(InputError, match=r"7 pixels is less than the input has, 8x6: give at least 8"):
        fit_to_input(7, (6, 8))
