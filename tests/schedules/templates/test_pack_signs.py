"""The written loops of packing equal the definition, and share out large images."""

import numpy as np
import pytest

from b2nn_tvm.ops.pack_signs import PackGeometry, pack_signs
from b2nn_tvm.schedules.templates.pack_signs import pack_signs_loops
from b2nn_tvm.targets.target import get
from tests.support.ops.activations import CHANNELS, WORDS, activations
from tests.support.ops.scheduled import build, build_unoptimized

# padding, pad value, stride
VARIANTS = (((0, 0, 0, 0), 0, (1, 1)), ((1, 2, 0, 3), 1, (1, 1)), ((0, 1, 1, 0), -1, (1, 1)), ((0, 0, 0, 0), 0, (2, 3)))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_equal_the_definition(channels, word):
    padding, pad_value, stride = VARIANTS[(CHANNELS.index(channels) + WORDS.index(word)) % len(VARIANTS)]
    x, limits = activations(2, 5, 4, channels)
    function = pack_signs(x.shape, padding, word=word, pad_value=pad_value, stride=stride)
    target = get("native")
    np.testing.assert_array_equal(
        build(pack_signs_loops(function), target)(x, limits), build_unoptimized(function)(x, limits)
    )


def test_the_geometry_is_read_as_it_was_written():
    function = pack_signs((1, 5, 7, 3), (1, 0, 2, 1), word="uint8", pad_value=1, stride=(2, 3))
    assert PackGeometry.of(function) == PackGeometry((1, 0, 2, 1), (2, 3), pad_code=1)


def test_large_images_use_threads_and_small_ones_do_not():
    found = (pack_signs((1, size, size, 64), (1, 1, 1, 1), word="uint32", pad_value=0) for size in (56, 8))
    assert ["T.parallel(" in pack_signs_loops(function).script() for function in found] == [True, False]
