"""The definition of 8-bit layers against loops over every product, and the bound of its sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from b2nn_tvm.reference.int8 import LARGEST_SUM, int8_conv2d, int8_dense, largest_sum, quantize

# shape of x, shape of the weight, stride, padding, dilation, groups
CASES = [
    ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    ((2, 3, 5, 4), (4, 3, 3, 2), (1, 1), (1, 0, 2, 1), (1, 1), 1),
    ((1, 4, 6, 5), (6, 2, 3, 3), (2, 1), (1, 1, 1, 1), (1, 1), 2),
    ((1, 3, 7, 7), (3, 1, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3),
    ((1, 2, 7, 6), (3, 2, 2, 3), (1, 2), (0, 2, 1, 2), (3, 2), 1),
    ((1, 4, 4, 3), (8, 1, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 4),
]


def by_loops(x, weight, zero, stride, padding, dilation, groups):
    """Every product by itself, in Python's integers."""
    (batch, _, height, width), (outputs, per_group, kernel_height, kernel_width) = x.shape, weight.shape
    top, left, bottom, right = padding
    rows = (height + top + bottom - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
    columns = (width + left + right - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
    out = np.zeros((batch, outputs, rows, columns), np.int32)
    for n, o, y, q in itertools.product(*map(range, out.shape)):
        total = 0
        for c, i, j in itertools.product(range(per_group), range(kernel_height), range(kernel_width)):
            row, column = y * stride[0] + i * dilation[0] - top, q * stride[1] + j * dilation[1] - left
            if 0 <= row < height and 0 <= column < width:
                channel = o // (outputs // groups) * per_group + c
                total += (int(x[n, channel, row, column]) - zero) * int(weight[o, c, i, j])
        out[n, o, y, q] = total
    return out


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 0), ("uint8", 131), ("int8", 0), ("int8", -128)])
@pytest.mark.parametrize(("image", "filters", "stride", "padding", "dilation", "groups"), CASES)
def test_it_is_the_sum_of_all_products(image, filters, stride, padding, dilation, groups, dtype, zero):
    rng, limits = np.random.default_rng(0), np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max + 1, image).astype(dtype)
    weight = rng.integers(-127, 128, filters).astype(np.int8)
    found = int8_conv2d(x, weight, zero=zero, stride=stride, padding=padding, dilation=dilation, groups=groups)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, by_loops(x, weight, zero, stride, padding, dilation, groups))


def test_dense_is_a_matrix_product_of_integers():
    rng = np.random.default_rng(1)
    x, weight = rng.integers(0, 256, (3, 65)).astype(np.uint8), rng.integers(-127, 128, (5, 65)).astype(np.int8)
    expected = (x.astype(np.int64) - 7) @ weight.astype(np.int64).T
    np.testing.assert_array_equal(int8_dense(x, weight, zero=7), expected)


def test_halves_go_to_even_and_codes_end_at_their_limits():
    x = np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 400.0, -400.0], np.float32)
    np.testing.assert_array_equal(quantize(x, 1.0, 10), [8, 10, 10, 12, 12, 255, 0])
    np.testing.assert_array_equal(quantize(x, 1.0, 0, low=-128, high=127), [-2, 0, 0, 2, 2, 127, -128])


def test_sums_beyond_int32_are_refused_and_the_largest_ones_are_right():
    most = LARGEST_SUM // (255 * 127)
    x, weight = np.full((1, most), 255, np.uint8), np.full((1, most), 127, np.int8)
    assert largest_sum(weight, low=0, high=255, zero=0) == most * 255 * 127
    assert int8_dense(x, weight)[0, 0] == most * 255 * 127
    with pytest.raises(OverflowError, match="int32 ends at 2147483647"):
        int8_dense(np.pad(x, ((0, 0), (0, 1))), np.full((1, most + 1), 127, np.int8))


def test_the_bound_counts_codes_and_their_zero_point():
    weight = np.array([[1, -2], [3, 4]], np.int8)
    assert largest_sum(weight, low=0, high=255, zero=255) == 7 * 255
    assert largest_sum(weight, low=-128, high=127, zero=127) == 7 * 255
    assert largest_sum(weight, low=0, high=3, zero=0) == 7 * 3
