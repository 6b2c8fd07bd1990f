"""The sums of planes are the sums of whole numbers, computed by brute force."""

import itertools

import numpy as np
import pytest

from b2nn_tvm.reference.bitserial import bitserial_conv2d, bitserial_dense, code_planes, weight_planes

BITS = list(itertools.product(range(1, 5), range(1, 5)))


def drawn(rng, activation_bits, weight_bits, codes, weights):
    half = 2 ** (weight_bits - 1)
    weight = rng.integers(-half, half, weights) if weight_bits > 1 else rng.choice((-1, 1), weights)
    return rng.integers(0, 2**activation_bits, codes), weight


def brute_force(x, weight, stride, padding, dilation, groups, pad_code):
    top, left, bottom, right = padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_code)
    outputs, per_group, kernel_height, kernel_width = weight.shape
    height = (x.shape[2] - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
    width = (x.shape[3] - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
    result = np.zeros((len(x), outputs, height, width), np.int64)
    for n, o, h, w in np.ndindex(result.shape):
        first = o // (outputs // groups) * per_group
        for c, i, j in np.ndindex(per_group, kernel_height, kernel_width):
            value = x[n, first + c, h * stride[0] + i * dilation[0], w * stride[1] + j * dilation[1]]
            result[n, o, h, w] += weight[o, c, i, j] * value
    return result


@pytest.mark.parametrize(("activation_bits", "weight_bits"), BITS)
def test_a_convolution_is_that_of_whole_numbers(activation_bits, weight_bits):
    rng = np.random.default_rng(activation_bits * 10 + weight_bits)
    groups = 2 if activation_bits == weight_bits else 1
    codes, weight = drawn(rng, activation_bits, weight_bits, (2, 6, 5, 4), (4, 6 // groups, 3, 2))
    window = {"stride": (2, 1), "padding": (1, 0, 2, 1), "dilation": (1, 2), "groups": groups}
    pad_code = int(rng.integers(2**activation_bits)) if activation_bits == 2 else 0
    found = bitserial_conv2d(
        codes, weight, activation_bits=activation_bits, weight_bits=weight_bits, pad_code=pad_code, **window
    )
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, brute_force(codes, weight, *window.values(), pad_code))


@pytest.mark.parametrize(("activation_bits", "weight_bits"), BITS)
def test_a_dense_layer_is_the_product_of_whole_numbers(activation_bits, weight_bits):
    rng = np.random.default_rng(activation_bits * 10 + weight_bits)
    codes, weight = drawn(rng, activation_bits, weight_bits, (3, 37), (5, 37))
    found = bitserial_dense(codes, weight, activation_bits=activation_bits, weight_bits=weight_bits)
    np.testing.assert_array_equal(found, codes @ weight.T)


def test_the_largest_sums():
    """Four bits each, all at their ends."""
    codes, weight = np.full((1, 12800), 15), np.full((2, 12800), -8)
    found = bitserial_dense(codes, weight, activation_bits=4, weight_bits=4)
    np.testing.assert_array_equal(found, np.full((1, 2), -15 * 8 * 12800))


def test_planes_are_signs_that_weigh_powers_of_two():
    np.testing.assert_array_equal(code_planes(np.array([0, 1, 2, 3]), 2), [[-1, 1, -1, 1], [-1, -1, 1, 1]])
    planes, coefficients, rest = weight_planes(np.array([-2, -1, 0, 1]), 2)
    np.testing.assert_array_equal(coefficients @ planes + rest, [-4, -2, 0, 2])


@pytest.mark.parametrize(
    ("refused", "bits"), [(lambda: code_planes(np.array([4]), 2), 2), (lambda: weight_planes(np.array([2]), 2), 2)]
)
def test_numbers_of_more_bits_are_refused(refused, bits):
    with pytest.raises(ValueError, match=f"of {bits} bits lie between"):
        refused()


def test_weights_of_one_bit_have_no_zero():
    with pytest.raises(ValueError, match=r"are -1 and \+1"):
        weight_planes(np.array([0]), 1)
