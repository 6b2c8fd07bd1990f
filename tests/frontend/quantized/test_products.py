"""Convolutions and matrix products of integers give the integers that onnxruntime gives."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (1, 4, 6, 5)).astype(np.uint8)
ROWS = RNG.integers(0, 256, (3, 4)).astype(np.uint8)


def signed(*shape):
    return RNG.integers(-127, 128, shape).astype(np.int8)


def scales(count):
    return RNG.uniform(0.001, 0.01, count).astype(np.float32)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("options", ["", "<pads = [1, 0, 1, 2], strides = [2, 1]>", "<group = 2>"])
def test_qlinear_conv(per_channel, bias, options):
    count = 6 if per_channel else ()
    constants = {
        "xs": np.float32(0.05),
        "xz": np.uint8(100),
        "w": signed(6, 2 if "group" in options else 4, 3, 3),
        "ws": scales(count),
        "wz": np.zeros(count, np.int8),
        "ys": np.float32(0.3),
        "yz": np.uint8(120),
    }
    if bias:
        constants["b"] = RNG.integers(-5000, 5000, 6).astype(np.int32)
    nodes = f"output = QLinearConv {options} (input, xs, xz, w, ws, wz, ys, yz{bias})"
    built = model(nodes, constants, inputs="uint8[1,4,6,5] input", outputs="uint8 output")
    assert_same(built, expand_quantized, X, tolerance=0)


@pytest.mark.parametrize("per_column", [False, True])
def test_qlinear_matmul(per_column):
    count = 5 if per_column else ()
    constants = {
        "as": np.float32(0.05),
        "az": np.uint8(7),
        "b": signed(4, 5),
        "bs": scales(count),
        "bz": np.full(count, 2, np.int8) if per_column else np.int8(2),
        "ys": np.float32(0.02),
        "yz": np.uint8(128),
    }
    nodes = "output = QLinearMatMul (input, as, az, b, bs, bz, ys, yz)"
    built = model(nodes, constants, inputs="uint8[3,4] input", outputs="uint8 output")
    assert_same(built, expand_quantized, ROWS, tolerance=0)


@pytest.mark.parametrize("zero_points", ["", ", xz, wz"])
def test_conv_integer(zero_points):
    constants = {"w": RNG.integers(0, 256, (6, 4, 3, 3)).astype(np.uint8)}
    if zero_points:
        constants |= {"xz": np.uint8(9), "wz": np.uint8(127)}
    nodes = f"sums = ConvInteger (input, w{zero_points}) output = Cast <to = 1> (sums)"
    built = model(nodes, constants, inputs="uint8[1,4,6,5] input", outputs="int32 sums, float output")
    after = assert_same(built, expand_quantized, X, tolerance=0)
    assert after.graph.node[-1].op_type == "Identity"  # the sums are there in float32


def test_matmul_integer():
    constants = {"b": signed(4, 5), "az": np.uint8(3), "bz": np.int8(1)}
    nodes = "output = MatMulInteger (input, b, az, bz)"
    built = model(nodes, constants, inputs="uint8[3,4] input", outputs="int32 output")
    assert_same(built, expand_quantized, ROWS, tolerance=0)


def test_a_zero_point_for_each_pixel_is_refused():
    constants = {"w": signed(6, 4, 3, 3), "xz": np.zeros(4, np.uint8), "wz": np.int8(0)}
    built = model("output = ConvInteger (input, w, xz, wz)", constants, inputs="uint8[1,4,6,5] input")
    with pytest.raises(InputError, match="its zero point is one number, but 4 came"):
        expand_quantized(built)
