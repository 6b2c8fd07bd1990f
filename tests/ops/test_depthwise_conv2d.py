"""The scheduled depthwise convolution agrees with a float64 one within the rounding of float32 sums."""

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.depthwise_conv2d import depthwise_conv2d
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops import float64
from tests.support.ops.scheduled import compile_tensors


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("channels", [1, 3, 24, 32, 33, 65])
@pytest.mark.parametrize(
    ("batch", "kernel", "stride", "padding", "dilation"),
    [
        (1, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        (3, (5, 3), (2, 1), (2, 1, 2, 1), (1, 1)),
        (1, (3, 3), (1, 2), (2, 2, 1, 3), (2, 2)),
    ],
)
def test_agrees_with_float64(batch, kernel, stride, padding, dilation, channels, target):
    workload = ConvWorkload(batch, channels, 9, 8, channels, kernel, stride, padding, dilation, groups=channels)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, channels, 9, 8)).astype(np.float32)
    weight = rng.standard_normal((channels, 1, *kernel)).astype(np.float32)
    widest = vector_unit_named(target.vector).layout.float_lanes
    lanes = next(size for size in (16, 8, 4, 2, 1) if size <= widest and channels % size == 0)
    top, left, bottom, right = padding
    data = te.placeholder((batch, 9 + top + bottom, 8 + left + right, channels), name="x")
    filters = te.placeholder((*kernel, channels), name="w")
    run = compile_tensors([data, filters, depthwise_conv2d(data, filters, workload=workload, lanes=lanes)], target)
    padded = np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))
    result = run(padded, weight[:, 0].transpose(1, 2, 0)).transpose(0, 3, 1, 2)
    expected = float64.conv2d(x, weight, workload)
    allowed = float64.rounding(float64.conv2d(np.abs(x), np.abs(weight), workload), kernel[0] * kernel[1])
    assert result.shape == expected.shape
    assert (np.abs(result - expected) <= allowed).all()
