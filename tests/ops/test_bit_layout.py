"""The packed weights and activations hold each sign in its bit; the border's constants equal brute force."""

import itertools

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.ops.bit_layout import border, pack_channels, pack_weights
from b2nn_tvm.workload import ConvWorkload

CHANNELS = (1, 3, 31, 32, 33, 63, 64, 65, 128)


def signs_of(*shape):
    return reference.sign(np.random.default_rng(shape).standard_normal(shape))


@pytest.mark.parametrize(("word", "bits"), [("uint8", 8), ("uint32", 32)])
@pytest.mark.parametrize("channels", CHANNELS)
def test_channels_lie_in_the_bits_of_the_words_in_order(channels, word, bits):
    signs = signs_of(2, channels)
    packed = pack_channels(signs, word=word)
    assert packed.dtype == word and packed.shape == (2, -(-channels // bits))
    for row, c in itertools.product(range(2), range(packed.shape[1] * bits)):
        expected = c < channels and signs[row, c] == 1
        assert (int(packed[row, c // bits]) >> c % bits & 1) == expected


@pytest.mark.parametrize(("word", "lanes"), [("uint8", 16), ("uint8", 64), ("uint32", 16)])
@pytest.mark.parametrize("outputs", [1, 16, 33, 64])
def test_a_vector_of_weights_holds_one_word_of_neighbouring_filters(outputs, word, lanes):
    signs = signs_of(outputs, 33, 3, 2)
    packed = pack_weights(signs, word=word, lanes=lanes)
    words = pack_channels(signs.transpose(0, 2, 3, 1), word=word)
    assert packed.shape == (-(-outputs // lanes), 3, 2, words.shape[-1], lanes) and packed.dtype == word
    for o in range(packed.shape[0] * lanes):
        expected = words[o] if o < outputs else np.zeros_like(words[0])
        np.testing.assert_array_equal(packed[o // lanes, ..., o % lanes], expected)


def brute_force_constant(signs, workload, pad_value, row, column):
    """What must be added to -2 * popcount at one output pixel, filter by filter, tap by tap."""
    total = np.zeros(signs.shape[0], int)
    for i, j in itertools.product(range(workload.kernel[0]), range(workload.kernel[1])):
        h = row * workload.stride[0] + i * workload.dilation[0] - workload.padding[0]
        w = column * workload.stride[1] + j * workload.dilation[1] - workload.padding[1]
        inside = 0 <= h < workload.in_height and 0 <= w < workload.in_width
        if inside or pad_value:
            total += signs.shape[1]
        else:  # the tap's zero bits differ from the filter's ones, and it must contribute nothing
            total += 2 * (signs[:, :, i, j] > 0).sum(axis=1)
    return total


@pytest.mark.parametrize("pad_value", [0, 1, -1])
@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), (1, 1)), ((2, 1), (1, 2)), ((3, 2), (2, 1))])
@pytest.mark.parametrize(
    ("size", "kernel", "padding"),
    [
        ((5, 6), (3, 3), (1, 1, 1, 1)),
        ((4, 3), (5, 3), (4, 0, 4, 2)),
        ((2, 9), (1, 5), (0, 5, 3, 1)),
        ((9, 8), (3, 3), (0, 0, 0, 0)),
    ],
)
def test_the_border_equals_brute_force(size, kernel, padding, stride, dilation, pad_value):
    workload = ConvWorkload(1, 5, *size, 3, kernel, stride, padding, dilation)
    signs = signs_of(3, 5, *kernel)
    found = border(signs, workload, pad_value=pad_value, lanes=16)
    assert found.rows.shape == (workload.out_height,) and found.columns.shape == (workload.out_width,)
    for row, column in itertools.product(range(workload.out_height), range(workload.out_width)):
        constants = found.table[found.rows[row], found.columns[column]]
        assert constants.shape == (16,)
        np.testing.assert_array_equal(constants[:3], brute_force_constant(signs, workload, pad_value, row, column))


@pytest.mark.parametrize("outputs", [16, 17])
@pytest.mark.parametrize(
    ("padding", "pad_value", "uniform"),
    [
        ((0, 0, 0, 0), 0, True),
        ((1, 1, 1, 1), 1, True),
        ((1, 1, 1, 1), -1, True),
        ((1, 1, 1, 1), 0, False),
        ((0, 0, 0, 1), 0, False),
    ],
)
def test_a_border_that_padding_does_not_touch_is_one_number(padding, pad_value, uniform, outputs):
    """Also where the last vector of filters is not full: a table would be read for each output."""
    workload = ConvWorkload(1, 33, 6, 5, outputs, (3, 3), padding=padding)
    assert border(signs_of(outputs, 33, 3, 3), workload, pad_value=pad_value, lanes=16).uniform == uniform
