"""The scheduled float convolution agrees with a float64 one within the rounding of float32 sums."""

import numpy as np
import pytest
from tvm import te, topi

from b2nn_tvm.ops.conv2d import conv2d, crop_channels, pack_weights
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops import float64
from tests.support.ops.scheduled import compile_tensors

# batch, channels, height, width, outputs, kernel, stride, padding, dilation, groups
WORKLOADS = [
    (1, 1, 9, 8, 1, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    (3, 3, 9, 8, 33, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    (1, 31, 9, 8, 65, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1),
    (3, 32, 7, 7, 31, (5, 5), (1, 2), (2, 2, 2, 2), (1, 1), 1),
    (1, 33, 11, 10, 32, (3, 3), (1, 1), (2, 3, 2, 1), (2, 2), 1),
    (1, 65, 6, 5, 3, (1, 3), (2, 1), (0, 1, 0, 1), (1, 1), 1),
    (3, 65, 7, 9, 33, (3, 1), (1, 1), (2, 0, 0, 0), (2, 1), 1),
    (1, 3, 23, 22, 64, (7, 7), (2, 2), (3, 3, 3, 3), (1, 1), 1),
    (1, 6, 9, 8, 32, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2),
    (3, 33, 8, 8, 33, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3),
    (1, 64, 9, 9, 96, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2), 4),
    (1, 8, 5, 6, 24, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 8),
]


def lanes_of(workload, layout):
    """As the lowering pass chooses them: with groups, a divisor of a group's outputs."""
    if workload.groups == 1:
        return layout.conv_lanes(workload.out_channels)
    outputs = workload.out_channels // workload.groups
    return next(lanes for lanes in (16, 8, 4, 2, 1) if lanes <= layout.float_lanes and outputs % lanes == 0)


def placeholders(workload, packed):
    top, left, bottom, right = workload.padding
    shape = (workload.batch, workload.in_height + top + bottom, workload.in_width + left + right, workload.in_channels)
    return te.placeholder(shape, name="x"), te.placeholder(packed.shape, name="w")


def padded_nhwc(x, workload):
    top, left, bottom, right = workload.padding
    return np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("workload", [ConvWorkload(*fields) for fields in WORKLOADS], ids=lambda workload: workload.key)
def test_agrees_with_float64(workload, target):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    x = normal(workload.batch, workload.in_channels, workload.in_height, workload.in_width)
    per_group = workload.in_channels // workload.groups
    weight = normal(workload.out_channels, per_group, *workload.kernel)
    packed = pack_weights(weight, lanes=lanes_of(workload, vector_unit_named(target.vector).layout))
    data, filters = placeholders(workload, packed)
    run = compile_tensors([data, filters, conv2d(data, filters, workload=workload)], target)
    result = run(padded_nhwc(x, workload), packed).transpose(0, 3, 1, 2)
    expected = float64.conv2d(x, weight, workload)
    terms = per_group * workload.kernel[0] * workload.kernel[1]
    allowed = float64.rounding(float64.conv2d(np.abs(x), np.abs(weight), workload), terms)
    assert result.shape == expected.shape
    assert (np.abs(result - expected) <= allowed).all()


@pytest.mark.parametrize("outputs", [3, 16, 33, 64])
def test_what_follows_is_computed_in_the_tile(outputs, target):
    """Scale, bias, residual and ReLU behind the convolution, as batch norm and a shortcut become."""
    workload = ConvWorkload(3, 16, 7, 6, outputs, (3, 3), padding=(1, 1, 1, 1))
    rng = np.random.default_rng(1)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    x, weight = normal(3, 16, 7, 6), normal(outputs, 16, 3, 3)
    gain, bias, residual = normal(1, 1, 1, outputs), normal(1, 1, 1, outputs), normal(3, 7, 6, outputs)
    packed = pack_weights(weight, lanes=vector_unit_named(target.vector).layout.conv_lanes(outputs))
    data, filters = placeholders(workload, packed)
    more = [te.placeholder(array.shape, name=name) for name, array in (("g", gain), ("b", bias), ("r", residual))]
    y = conv2d(data, filters, workload=workload)
    y = topi.nn.relu(topi.add(topi.add(topi.multiply(y, more[0]), more[1]), more[2]))
    run = compile_tensors([data, filters, *more, y], target)
    result = run(padded_nhwc(x, workload), packed, gain, bias, residual)
    sums = float64.conv2d(x, weight, workload).transpose(0, 2, 3, 1)
    magnitude = float64.conv2d(np.abs(x), np.abs(weight), workload).transpose(0, 2, 3, 1)
    magnitude = magnitude * np.abs(gain) + np.abs(bias) + np.abs(residual)
    expected = np.maximum(sums * gain + bias + residual, 0)
    assert (np.abs(result - expected) <= float64.rounding(magnitude, 16 * 9 + 3)).all()


def test_absent_filters_are_zero():
    weight = np.arange(1, 3 * 2 * 1 * 2 + 1, dtype=np.float32).reshape(3, 2, 1, 2)
    packed = pack_weights(weight, lanes=4)
    assert packed.shape == (1, 1, 2, 2, 4)
    np.testing.assert_array_equal(packed[0].transpose(3, 2, 0, 1)[:3], weight)
    assert not packed[..., 3].any()


def test_crop_of_all_channels_is_the_tensor_itself():
    y = te.placeholder((1, 2, 2, 8), name="y")
    assert crop_channels(y, 8) is y
    assert [int(extent) for extent in crop_channels(y, 5).shape] == [1, 2, 2, 5]
