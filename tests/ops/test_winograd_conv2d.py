"""The scheduled Winograd convolution agrees with a float64 one; F(2 x 2) errs hardly more than the direct form."""

import numpy as np
import pytest
from tvm import te, topi

from b2nn_tvm.ops.conv2d import conv2d, pack_weights
from b2nn_tvm.ops.winograd_conv2d import FILTER, INPUT, OUTPUT, padding_to_tiles, transform_weights, winograd_conv2d
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops import float64
from tests.support.ops.scheduled import compile_tensors

# batch, channels, height, width, outputs, padding: odd sizes leave tiles that are cut off
WORKLOADS = [
    (1, 1, 3, 3, 1, (0, 0, 0, 0)),
    (3, 3, 7, 5, 33, (1, 1, 1, 1)),
    (1, 31, 9, 8, 65, (1, 1, 1, 1)),
    (1, 32, 13, 11, 32, (0, 1, 2, 1)),
    (3, 33, 6, 6, 31, (1, 1, 1, 1)),
    (1, 65, 5, 14, 3, (2, 0, 2, 0)),
    (1, 64, 28, 28, 64, (1, 1, 1, 1)),
]


def padded_nhwc(x, padding):
    top, left, bottom, right = padding
    return np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))


def data_of(workload):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((workload.batch, workload.in_channels, workload.in_height, workload.in_width))
    weight = rng.standard_normal((workload.out_channels, workload.in_channels, 3, 3))
    return x.astype(np.float32), weight.astype(np.float32)


def winograd(x, weight, workload, target, m):
    packed = transform_weights(
        weight, lanes=vector_unit_named(target.vector).layout.conv_lanes(workload.out_channels), m=m
    )
    padded = padded_nhwc(x, padding_to_tiles(workload, m))
    data, filters = te.placeholder(padded.shape, name="x"), te.placeholder(packed.shape, name="w")
    run = compile_tensors([data, filters, winograd_conv2d(data, filters, workload=workload, m=m)], target)
    return run(padded, packed).transpose(0, 3, 1, 2)


def direct(x, weight, workload, target):
    packed = pack_weights(weight, lanes=vector_unit_named(target.vector).layout.conv_lanes(workload.out_channels))
    padded = padded_nhwc(x, workload.padding)
    data, filters = te.placeholder(padded.shape, name="x"), te.placeholder(packed.shape, name="w")
    run = compile_tensors([data, filters, conv2d(data, filters, workload=workload)], target)
    return run(padded, packed).transpose(0, 3, 1, 2)


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("fields", WORKLOADS, ids=lambda fields: "x".join(map(str, fields[:5])))
def test_agrees_with_float64(fields, m, target):
    workload = ConvWorkload(*fields[:5], (3, 3), padding=fields[5])
    x, weight = data_of(workload)
    result = winograd(x, weight, workload, target, m)
    expected = float64.conv2d(x, weight, workload)
    assert result.shape == expected.shape
    largest = np.abs(expected).max()
    assert np.abs(result - expected).max() < {2: 2e-6, 4: 3e-5}[m] * largest


@pytest.mark.parametrize("channels", [16, 256])
def test_small_tiles_err_no_more_than_twice_the_direct_form(channels, target):
    workload = ConvWorkload(1, channels, 14, 14, 32, (3, 3), padding=(1, 1, 1, 1))
    x, weight = data_of(workload)
    expected = float64.conv2d(x, weight, workload)
    error = lambda result: np.sqrt(np.mean((result - expected) ** 2))
    assert error(winograd(x, weight, workload, target, 2)) <= 2 * error(direct(x, weight, workload, target))


def test_what_follows_is_computed_in_the_tile(target):
    workload = ConvWorkload(3, 16, 7, 6, 24, (3, 3), padding=(1, 1, 1, 1))
    x, weight = data_of(workload)
    rng = np.random.default_rng(1)
    gain, residual = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 1, 1, 24), (3, 7, 6, 24)))
    packed = transform_weights(weight, lanes=vector_unit_named(target.vector).layout.conv_lanes(24), m=2)
    padded = padded_nhwc(x, padding_to_tiles(workload, 2))
    arrays = {"x": padded, "w": packed, "g": gain, "r": residual}
    data, filters, scale, shortcut = inputs = [te.placeholder(a.shape, name=n) for n, a in arrays.items()]
    y = topi.nn.relu(topi.add(topi.multiply(winograd_conv2d(data, filters, workload=workload, m=2), scale), shortcut))
    result = compile_tensors([*inputs, y], target)(*arrays.values())
    expected = np.maximum(float64.conv2d(x, weight, workload).transpose(0, 2, 3, 1) * gain + residual, 0)
    assert np.abs(result - expected).max() < 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("m", [2, 4])
def test_the_transforms_are_an_identity(m):
    """A^T ((G g) * (B^T d)) is the correlation of d and g, for each pair of unit vectors."""
    for g in np.eye(3):
        for d in np.eye(m + 2):
            transformed = np.array(OUTPUT[m]) @ ((np.array(FILTER[m]) @ g) * (np.array(INPUT[m]) @ d))
            np.testing.assert_allclose(transformed, np.correlate(d, g, "valid"), atol=1e-12)


def test_padding_makes_whole_tiles():
    workload = ConvWorkload(1, 8, 7, 9, 8, (3, 3), padding=(1, 0, 1, 2))  # output 7 x 9
    assert padding_to_tiles(workload, 2) == (1, 0, 2, 3)
    assert padding_to_tiles(workload, 4) == (1, 0, 2, 5)
