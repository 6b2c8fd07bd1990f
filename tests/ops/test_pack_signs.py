"""Packed signs equal the definition's, bit for bit: thresholds, zeros of both signs, NaN, padding, tails."""

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.kernel_attrs import PADDING
from b2nn_tvm.ops.bit_layout import pack_channels
from b2nn_tvm.ops.pack_signs import PackGeometry, pack_codes, pack_signs
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.targets.target import get
from tests.support.ops.activations import CHANNELS, WORDS, activations
from tests.support.ops.scheduled import build, build_unoptimized, compile_function


def expected_words(x, limits, padding, word, pad_value):
    top, left, bottom, right = padding
    border = 1 if pad_value == 1 else -1
    width = ((0, 0), (top, bottom), (left, right), (0, 0))
    return pack_channels(np.pad(reference.sign(x, limits), width, constant_values=border), word=word)


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_equals_the_reference(channels, word, target):
    padding, pad_value = ((0, 0, 0, 0), 0) if channels % 2 else ((1, 2, 0, 3), 1)
    x, limits = activations(3, 4, 5, channels)
    packed = compile_function(pack_signs(x.shape, padding, word=word, pad_value=pad_value), target)(x, limits)
    np.testing.assert_array_equal(packed, expected_words(x, limits, padding, word, pad_value))


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("pad_value", [0, 1, -1])
@pytest.mark.parametrize("channels", [31, 64, 65])
def test_padded_pixels_have_the_bits_of_the_pad_value(channels, pad_value, target):
    word, padding = vector_unit_named(target.vector).layout.word, (2, 1, 1, 0)
    x, limits = activations(1, 3, 4, channels)
    packed = compile_function(pack_signs(x.shape, padding, word=word, pad_value=pad_value), target)(x, limits)
    signs = reference.unpack(packed.view(np.uint8), channels)
    assert (signs[:, :2] == (1 if pad_value == 1 else -1)).all()
    np.testing.assert_array_equal(packed, expected_words(x, limits, padding, word, pad_value))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("channels", [1, 31, 64, 65])
def test_the_definition_itself_equals_the_reference(channels, word):
    """Before the written loops take its place."""
    x, limits = activations(2, 5, 6, channels)
    for padding, pad_value, stride in (((1, 2, 0, 3), 1, (1, 1)), ((2, 0, 1, 1), 0, (1, 1)), ((0, 0, 0, 0), 0, (2, 3))):
        kernel = pack_signs(x.shape, padding, word=word, pad_value=pad_value, stride=stride)
        packed = build_unoptimized(kernel)(x, limits)
        image = x[:, :: stride[0], :: stride[1]]
        np.testing.assert_array_equal(packed, expected_words(image, limits, padding, word, pad_value))


def test_in_parallel_the_bits_are_the_same(target):
    """Large enough that its rows are divided among threads."""
    x, limits = activations(3, 20, 18, 65)
    word = vector_unit_named(target.vector).layout.word
    packed = compile_function(pack_signs(x.shape, (1, 1, 1, 1), word=word, pad_value=0), target)(x, limits)
    np.testing.assert_array_equal(packed, expected_words(x, limits, (1, 1, 1, 1), word, 0))


@pytest.mark.parametrize("channels", [33, 64])
def test_with_a_stride_only_the_pixels_that_are_read_are_packed(channels, target):
    x, limits = activations(2, 5, 6, channels)
    word = vector_unit_named(target.vector).layout.word
    kernel = pack_signs(x.shape, (0, 0, 0, 0), word=word, pad_value=0, stride=(2, 3))
    np.testing.assert_array_equal(
        compile_function(kernel, target)(x, limits), expected_words(x[:, ::2, ::3], limits, (0, 0, 0, 0), word, 0)
    )
    assert PADDING not in kernel.attrs  # what packs a whole image only may become part of the function before


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("channels", [31, 64])
def test_codes_are_packed_in_planes(channels, count, target):
    """A code is the number of thresholds reached, of which some are equal or infinite."""
    word, padding = vector_unit_named(target.vector).layout.word, (1, 0, 2, 1)
    x, _ = activations(2, 4, 5, channels)
    choice = np.array([-np.inf, -1.25, -0.5, 0, 0.5, 0.5, 1, np.inf], np.float32)
    limits = np.sort(np.random.default_rng(count).choice(choice, (count, channels)), axis=0)
    planes, pad_code = count.bit_length(), count % 3
    kernel = pack_codes(x.shape, PackGeometry(padding, (1, 1), pad_code, planes), word=word, thresholds=count)
    packed = compile_function(kernel, target)(x, limits)
    codes = (x[None] >= limits[:, None, None, None]).sum(axis=0)
    codes = np.pad(codes, ((0, 0), (1, 2), (0, 1), (0, 0)), constant_values=pad_code)
    bits = np.concatenate([2 * (codes >> p & 1) - 1 for p in range(planes)])
    np.testing.assert_array_equal(packed, pack_channels(bits, word=word))
    np.testing.assert_array_equal(build(kernel, get("native"))(x, limits), packed)


@pytest.mark.in_turn("target")
def test_codes_that_are_bytes_are_packed_in_planes(target):
    word = vector_unit_named(target.vector).layout.word
    x = np.random.default_rng(0).integers(0, 8, (2, 3, 5, 65)).astype(np.uint8)
    limits = np.repeat(np.arange(1, 8, dtype=np.uint8)[:, None], 65, axis=1)
    geometry = PackGeometry((1, 0, 0, 1), (1, 1), 5, 3)
    kernel = pack_codes(x.shape, geometry, word=word, thresholds=7, dtype="uint8")
    codes = np.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0)), constant_values=5)
    bits = np.concatenate([2 * (codes >> p & 1).astype(int) - 1 for p in range(3)])
    np.testing.assert_array_equal(compile_function(kernel, target)(x, limits), pack_channels(bits, word=word))
