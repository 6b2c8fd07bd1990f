"""Weights expanded from bits are those that the convolution's kernel would read as a constant, value for value."""

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.conv2d import pack_weights
from b2nn_tvm.ops.expand_weights import expand_weights, expand_winograd_weights, pack_bits
from b2nn_tvm.ops.winograd_conv2d import transform_weights
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from tests.support.ops.scheduled import compile_tensors

# outputs, channels, kernel
SHAPES = [
    (64, 1, (3, 3)),
    (1, 3, (1, 1)),
    (3, 31, (3, 3)),
    (31, 32, (5, 5)),
    (33, 33, (1, 1)),
    (32, 64, (3, 3)),
    (65, 65, (3, 1)),
]
# outputs, channels: whole vectors, absent filters, several runs, one channel to a run
WINOGRAD = [(16, 16), (33, 64), (64, 31), (20, 65), (32, 257)]


def signs(outputs, channels, kernel):
    return np.where(np.random.default_rng(channels).random((outputs, channels, *kernel)) < 0.5, -1, 1).astype(
        np.float32
    )


def placeholder(bits):
    return te.placeholder(bits.shape, str(bits.dtype), name="bits")


@pytest.mark.in_turn("target")
@pytest.mark.parametrize(("outputs", "channels", "kernel"), SHAPES)
def test_direct(outputs, channels, kernel, target):
    lanes = vector_unit_named(target.vector).layout.conv_lanes(outputs)
    packed = pack_weights(signs(outputs, channels, kernel), lanes=lanes)
    bits = pack_bits(packed)
    data = placeholder(bits)
    found = compile_tensors([data, expand_weights(data, channels=channels, lanes=lanes)], target)(bits)
    np.testing.assert_array_equal(
        found, np.where(packed > 0, 1, -1)
    )  # absent filters are -1: nobody reads their results


@pytest.mark.in_turn("target")
@pytest.mark.parametrize(("outputs", "channels"), WINOGRAD)
def test_winograd(outputs, channels, target):
    lanes = vector_unit_named(target.vector).layout.conv_lanes(outputs)
    weight = signs(outputs, channels, (3, 3))
    expected = transform_weights(weight, lanes=lanes, m=2)
    bits = pack_bits(pack_weights(weight, lanes=lanes))
    data = placeholder(bits)
    found = compile_tensors([data, expand_winograd_weights(data, channels=channels, lanes=lanes, m=2)], target)(bits)
    filters = lambda u: u.transpose(2, 4, 0, 1, 3).reshape(-1, 4, 4, channels)[:outputs]
    np.testing.assert_array_equal(filters(found), filters(expected))


@pytest.mark.parametrize(("lanes", "word"), [(4, "uint8"), (8, "uint8"), (16, "uint16")])
def test_a_bit_is_a_weight(lanes, word):
    packed = pack_weights(signs(2 * lanes, 6, (1, 1)), lanes=lanes)
    bits = pack_bits(packed)
    assert bits.dtype == word
    assert 8 * bits.nbytes == packed.size
    assert [int(bits.flat[0]) >> n & 1 for n in range(4)] == [int(value > 0) for value in packed.reshape(-1)[:4]]


def test_an_odd_channel_leaves_half_a_word_empty():
    assert pack_bits(pack_weights(signs(4, 3, (1, 1)), lanes=4)).shape == (1, 1, 1, 2)
