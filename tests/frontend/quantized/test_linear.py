"""Quantizing and dequantizing in float arithmetic gives the integers that onnxruntime gives."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image

WORDS = {np.uint8: "uint8", np.int8: "int8", np.uint16: "uint16", np.int16: "int16"}
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e6, -1e6], np.float32).reshape(1, 8, 1, 1)


def quantizer(dtype, scale, zero, *, axis=1, opset=18):
    constants = {"s": np.asarray(scale, np.float32), "z": np.asarray(zero, dtype)}
    nodes = f"q = QuantizeLinear <axis = {axis}> (input, s, z) output = DequantizeLinear <axis = {axis}> (q, s, z)"
    outputs = f"{WORDS[dtype]}[1,8,H,W] q, float[1,8,H,W] output"
    return model(nodes, constants, inputs="float[1,8,H,W] input", outputs=outputs, opset=opset)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_halves_go_to_even_and_large_numbers_saturate(dtype):
    assert_same(quantizer(dtype, 1.0, 3), expand_quantized, HALVES, tolerance=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_scales_and_zero_points_per_channel(dtype):
    zeros = np.arange(8).astype(dtype)
    assert_same(quantizer(dtype, np.linspace(0.01, 0.2, 8), zeros), expand_quantized, image((1, 8, 6, 5)), tolerance=0)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_sixteen_bits(dtype):
    assert_same(quantizer(dtype, 1e-4, 100, opset=21), expand_quantized, image((1, 8, 6, 5)), tolerance=0)


def test_another_axis_counted_from_behind():
    built = quantizer(np.uint8, np.linspace(0.01, 0.2, 5), np.arange(5), axis=-1)
    assert_same(built, expand_quantized, image((1, 8, 6, 5)), tolerance=0)


def test_no_zero_point_is_uint8_without_one():
    nodes = "q = QuantizeLinear (input, s) output = DequantizeLinear (q, s)"
    assert_same(model(nodes, {"s": np.float32(0.02)}, outputs="float output"), expand_quantized, image(), tolerance=0)


def test_weights_and_biases_become_constants_of_the_file():
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.integers(-127, 128, (3, 4, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.01, 0.02, 3).astype(np.float32),
        "wz": np.array([0, 5, -7], np.int8),
        "b": rng.integers(-1000, 1000, 3).astype(np.int32),
        "bs": rng.uniform(0.001, 0.002, 3).astype(np.float32),
    }
    nodes = """wd = DequantizeLinear <axis = 0> (w, ws, wz) bd = DequantizeLinear <axis = 0> (b, bs)
        output = Conv (input, wd, bd)"""
    assert_same(model(nodes, constants), expand_quantized, image())


def test_four_bit_weights_become_constants():
    tensor = helper.make_tensor("w", TensorProto.INT4, [3, 4, 1, 1], list(range(-8, 4)))
    built = model("wd = DequantizeLinear (w, s) output = Conv (input, wd)", {"s": np.float32(0.5)}, opset=21)
    built.graph.initializer.append(tensor)
    expand_quantized(built)
    (centred,) = (node for node in built.graph.node if node.output[0] == "wd/centred")
    np.testing.assert_array_equal(numpy_helper.to_array(centred.attribute[0].t).reshape(-1), np.arange(-8, 4))


@pytest.mark.parametrize("x", [image(), np.zeros((1, 4, 6, 5), np.float32), np.abs(image()), -np.abs(image())])
def test_dynamic_quantization(x):
    nodes = "q, s, z = DynamicQuantizeLinear (input) output = DequantizeLinear (q, s, z)"
    built = model(nodes, outputs="uint8 q, float s, uint8 z, float output")
    assert_same(built, expand_quantized, x)


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ("q = QuantizeLinear <output_dtype = 22> (input, s) output = DequantizeLinear (q, s)", "it quantizes to int4"),
        ("q = QuantizeLinear <block_size = 2> (input, s) output = DequantizeLinear (q, s)", "scales for blocks"),
        ("q = QuantizeLinear <output_dtype = 17> (input, s) output = DequantizeLinear (q, s)", "to float8e4m3fn"),
    ],
)
def test_what_has_no_kernel_is_refused(nodes, text):
    with pytest.raises(UnsupportedError, match=f"QuantizeLinear.*{text}"):
        expand_quantized(model(nodes, {"s": np.float32(0.1)}, opset=21))


def test_a_clip_of_integers_stays_in_floats():
    """Codes of two bits, as Brevitas writes them; who reads the integers gets integers."""
    nodes = """q = QuantizeLinear (input, s, z) c = Clip (q, low, high) output = DequantizeLinear (c, s, z)"""
    constants = {"s": np.float32(0.3), "z": np.uint8(1), "low": np.uint8(0), "high": np.uint8(3)}
    built = model(nodes, constants, inputs="float[1,8,H,W] input", outputs="float[1,8,H,W] output, uint8[1,8,H,W] c")
    assert_same(built, expand_quantized, image((1, 8, 6, 5)), tolerance=0)
    expand_quantized(built)
    read = {name for node in built.graph.node for name in node.input}
    assert not {node.output[0] for node in built.graph.node if node.op_type == "Cast"} & read
