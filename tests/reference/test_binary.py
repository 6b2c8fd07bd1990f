"""The definitions themselves, against hand-computed numbers and the most naive loops."""

import itertools
import math

import numpy as np
import pytest

from b2nn_tvm import reference

CHANNELS = (1, 3, 31, 32, 33, 63, 64, 65, 128)


def random_signs(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), shape)


def test_sign_breaks_ties_upwards_and_nan_downwards():
    x = np.array([0.0, -0.0, 1e-45, -1e-45, np.inf, -np.inf, np.nan], np.float32)
    assert reference.sign(x).tolist() == [1, 1, 1, -1, 1, -1, -1]
    assert reference.sign(x).dtype == np.int8


def test_sign_compares_with_a_threshold_per_channel():
    x = np.array([[[[0.5, 0.4]], [[-1.0, -1.5]]]], np.float32)
    assert reference.sign(x, np.array([0.5, -1.0], np.float32)[:, None, None]).tolist() == [[[[1, -1]], [[1, -1]]]]


def test_sign_at_an_infinite_threshold_compares_and_does_not_subtract():
    assert reference.sign(np.array([np.inf, 1.0], np.float32), np.inf).tolist() == [1, -1]


def test_pack_puts_the_first_channel_into_the_lowest_bit_and_zeros_into_the_tail():
    assert reference.pack(np.array([1, -1, -1, -1, -1, -1, -1, -1, 1])).tolist() == [1, 1]
    assert reference.pack(np.array([-1, 1, 1])).tolist() == [6]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unpack_undoes_pack(channels, axis):
    signs = np.moveaxis(random_signs(channels, 2, 3, channels), -1, axis)
    packed = reference.pack(signs, axis)
    assert packed.shape[axis] == math.ceil(channels / 8)
    assert np.array_equal(reference.unpack(packed, channels, axis), signs)


@pytest.mark.parametrize("channels", CHANNELS)
def test_xnor_dot_is_the_integer_dot_product(channels):
    a, b = random_signs(1, 5, channels), random_signs(2, 5, channels)
    found = reference.xnor_dot(reference.pack(a), reference.pack(b), channels)
    assert found.dtype == np.int32
    assert np.array_equal(found, (a.astype(np.int32) * b).sum(axis=1))


@pytest.mark.parametrize("pad_value", [0, 1, -1])
def test_weight_binary_convolution_pads_its_float_input(pad_value):
    """One pixel of 3, weights of +1 and -1, a scale of 2: the border counts as ``pad_value``."""
    x = np.full((1, 1, 1, 1), 3, np.float32)
    weight = np.array([[[[1, -1, 1]]], [[[-1, 1, 1]]]], np.int8)
    found = reference.weight_binary_conv2d(x, weight, np.array([2, 1]), padding=(0, 1, 0, 2), pad_value=pad_value)
    p = pad_value
    assert found.dtype == np.float32
    assert found.tolist() == [[[[2 * (p - 3 + p), 2 * (3 - p + p)]], [[-p + 3 + p, -3 + p + p]]]]


def test_weight_binary_convolution_is_the_sum_over_the_taps():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 7, 8)), random_signs(1, 4, 3, 3, 2)
    found = reference.weight_binary_conv2d(x, weight, np.ones(4), stride=(2, 1), dilation=(1, 3))
    assert found.shape == (2, 4, 3, 5)
    window = x[1, :, 2:5, 1:5:3]  # of the output pixel (1, 1)
    np.testing.assert_allclose(found[1, :, 1, 1], (weight * window).sum(axis=(1, 2, 3)), rtol=1e-6)
    with pytest.raises(ValueError, match="pad_value is 0, 1 or -1, not 2"):
        reference.weight_binary_conv2d(x, weight, np.ones(4), pad_value=2)


def test_xnor_dot_reaches_both_ends():
    ones = reference.pack(np.ones(65, np.int8))
    minus = reference.pack(-np.ones(65, np.int8))
    assert reference.xnor_dot(ones, ones, 65) == 65
    assert reference.xnor_dot(ones, minus, 65) == -65


@pytest.mark.parametrize("channels", CHANNELS)
def test_binary_dense_is_a_matrix_product(channels):
    a, b = random_signs(3, 4, channels), random_signs(4, 7, channels)
    assert np.array_equal(reference.binary_dense(a, b), a.astype(np.int32) @ b.astype(np.int32).T)


def naive_conv2d(x, weight, stride, padding, dilation, groups, pad_value):
    """Padding first, then six loops in Python's integers."""
    top, left, bottom, right = padding
    width = ((0, 0), (0, 0), (top, bottom), (left, right))
    x = np.pad(x.astype(np.int64), width, constant_values=pad_value)
    batch, _, height, width = x.shape
    outputs, per_group, kernel_h, kernel_w = weight.shape
    rows = (height - dilation[0] * (kernel_h - 1) - 1) // stride[0] + 1
    columns = (width - dilation[1] * (kernel_w - 1) - 1) // stride[1] + 1
    out = np.zeros((batch, outputs, rows, columns), np.int64)
    for n, o, r, c in itertools.product(range(batch), range(outputs), range(rows), range(columns)):
        first = o // (outputs // groups) * per_group
        for k, i, j in itertools.product(range(per_group), range(kernel_h), range(kernel_w)):
            pixel = x[n, first + k, r * stride[0] + i * dilation[0], c * stride[1] + j * dilation[1]]
            out[n, o, r, c] += pixel * int(weight[o, k, i, j])
    return out


@pytest.mark.parametrize("pad_value", [0, 1, -1])
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "padding", "dilation", "groups"),
    [
        (3, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
        (9, (3, 2), (2, 1), (0, 1, 2, 3), (1, 2), 1),
        (4, (1, 1), (2, 2), (0, 0, 0, 0), (1, 1), 1),
        (6, (3, 3), (1, 2), (2, 2, 2, 2), (2, 2), 2),
        (4, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 4),
    ],
)
def test_binary_conv2d_equals_naive_loops(channels, kernel, stride, padding, dilation, groups, pad_value):
    x = random_signs(5, 2, channels, 6, 5)
    weight = random_signs(6, 8, channels // groups, *kernel)
    found = reference.binary_conv2d(
        x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups, pad_value=pad_value
    )
    assert found.dtype == np.int32
    assert np.array_equal(found, naive_conv2d(x, weight, stride, padding, dilation, groups, pad_value))


def test_binary_conv2d_by_hand():
    ones = np.ones((1, 1, 3, 3), np.int8)
    assert reference.binary_conv2d(ones, ones, padding=(1, 1, 1, 1))[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    minus = reference.binary_conv2d(ones, ones, padding=(1, 1, 1, 1), pad_value=-1)[0, 0]
    assert minus.tolist() == [[-1, 3, -1], [3, 9, 3], [-1, 3, -1]]


def test_binary_conv2d_refuses_other_padding_values():
    ones = np.ones((1, 1, 3, 3), np.int8)
    with pytest.raises(ValueError, match="0, 1 or -1"):
        reference.binary_conv2d(ones, ones, pad_value=2)


def test_scale_channels_multiplies_once_in_float32():
    y = np.array([[[[3]], [[-7]]]], np.int32)
    scaled = reference.scale_channels(y, np.array([0.1, 1 / 3]))
    assert scaled.dtype == np.float32
    assert scaled.ravel().tolist() == [np.float32(3) * np.float32(0.1), np.float32(-7) * np.float32(1 / 3)]


def test_threshold_channels_is_batch_norm_and_sign():
    y = np.arange(-9, 10, dtype=np.int32).reshape(1, 1, 1, -1).repeat(2, axis=1)
    threshold, flip = np.array([2, 2]), np.array([False, True])
    signs = reference.threshold_channels(y, threshold, flip)
    assert signs[0, 0, 0].tolist() == [1 if value >= 2 else -1 for value in range(-9, 10)]
    assert signs[0, 1, 0].tolist() == [-1 if value >= 2 else 1 for value in range(-9, 10)]
