"""The written loops of pooling equal the definition, share out large images, and combine whole words in vectors."""

import numpy as np
import pytest

from b2nn_tvm.ops.pool_bits import PoolGeometry, pool_bits
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.schedules.templates.pool_bits import pool_bits_loops
from b2nn_tvm.targets.target import get
from tests.support.ops.poolings import HEIGHT, POOLINGS, WIDTH
from tests.support.ops.scheduled import build, build_unoptimized


def loops(*arguments, **options):
    return pool_bits_loops(pool_bits(*arguments, **options))


@pytest.mark.parametrize(("border", "pad_value"), [((0, 0, 0, 0), 0), ((1, 0, 2, 1), 1)])
@pytest.mark.parametrize(("word", "words", "channels"), [("uint8", 3, 20), ("uint32", 2, 64)])
@pytest.mark.parametrize("name", POOLINGS)
def test_equal_the_definition(name, word, words, channels, border, pad_value):
    """Of any words: also where bits of channels that do not exist are set."""
    rng = np.random.default_rng(words)
    random = lambda *shape: rng.integers(0, np.iinfo(word).max, shape, dtype=word, endpoint=True)
    x, flips = random(2, HEIGHT, WIDTH, words), random(words)
    function = pool_bits(x.shape, POOLINGS[name], border, channels=channels, word=word, pad_value=pad_value)
    target = get("native")
    np.testing.assert_array_equal(
        build(pool_bits_loops(function), target)(x, flips), build_unoptimized(function)(x, flips)
    )


def test_the_geometry_is_read_as_it_was_written():
    pooling = POOLINGS["dilated"]
    function = pool_bits((2, 7, 8, 2), pooling, (1, 0, 2, 1), channels=33, word="uint32", pad_value=1)
    assert PoolGeometry.of(function) == PoolGeometry(
        pooling.kernel, pooling.stride, pooling.dilation, (1, 2), (7, 4), (1, 0, 2, 1), channels=33, ones=True
    )


def test_large_images_use_threads_and_small_ones_do_not():
    pooling = Pooling((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), 56, 56)
    large = loops((1, 112, 112, 2), pooling, (0, 0, 0, 0), channels=64, word="uint32", pad_value=0)
    small = loops((1, HEIGHT, WIDTH, 2), POOLINGS["2x2"], (0, 0, 0, 0), channels=64, word="uint32", pad_value=0)
    assert ("T.parallel(" in large.script(), "T.parallel(" in small.script()) == (True, False)


def test_whole_words_are_combined_in_vectors():
    """A row of 112 pixels of 64 channels is 224 words, 14 vectors of 16."""
    pooling = Pooling((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 56, 56)
    function = loops((1, 112, 112, 2), pooling, (1, 1, 1, 1), channels=64, word="uint32", pad_value=0)
    assert "T.vectorized(16)" in function.script()
