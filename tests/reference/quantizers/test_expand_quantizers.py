"""The definitions in onnxruntime against formulas in numpy, written from the documents of the tools."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers, has_quantizers
from tests.support.networks.onnx_models import model

QONNX = "qonnx.custom_op.general"
# All values at which some quantizer below has a step, their neighbours, and what is between.
STEPS = np.arange(-24, 25, dtype=np.float32) / 8
X = np.unique(
    np.concatenate([np.nextafter(STEPS, np.float32(side)) for side in (-9, 9)] + [STEPS, -1e-45 * np.ones(1)])
)
X = X.astype(np.float32)[None]
OPSETS = (9, 10, 11, 12, 13, 18)


def expanded(nodes: str, constants: dict[str, object], *, opset: int = 18, shape: str = "1,N") -> onnx.ModelProto:
    arrays = {name: np.asarray(value, np.float32) for name, value in constants.items()}
    built = model(nodes, arrays, inputs=f"float[{shape}] input", outputs=f"float[{shape}] output", opset=opset)
    built.opset_import.append(helper.make_opsetid("org.openvinotoolkit", 1))
    for node in built.graph.node:
        node.name = node.name or node.output[0]
    built.ir_version = 4 if opset < 11 else 8
    assert has_quantizers(built)
    expand_quantizers(built)
    assert not has_quantizers(built)
    onnx.checker.check_model(built)
    return built


def run(built: onnx.ModelProto, x: np.ndarray = X) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(built.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})[0]


def quantized(x, scale, zero, low, high, rounding=np.round):
    return ((rounding(np.clip(x / np.float32(scale) + np.float32(zero), low, high)) - zero) * scale).astype(np.float32)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_one_signed_bit_is_a_sign(op, opset):
    node = f'output = {QONNX}.{op} <signed = 1, narrow = 1, rounding_mode = "ROUND"> (input, s, z, b)'
    found = run(expanded(node, {"s": 0.5, "z": 0, "b": 1}, opset=opset))
    np.testing.assert_array_equal(found, np.where(X >= 0, 0.5, -0.5))


def test_the_threshold_of_one_bit_includes_what_its_operators_round():
    """-1e-45 / 4 is -0, which is at least 0, and x / 4 + 0.25 rounds to 0 for more values than -1."""
    node = f"output = {QONNX}.Quant <signed = 1> (input, s, z, b)"
    for zero in (0.0, 0.25):
        built = expanded(node, {"s": 4, "z": zero, "b": 1})
        high = X / np.float32(4) + np.float32(zero) >= 0
        np.testing.assert_array_equal(run(built), (np.where(high, 1, -1) - np.float32(zero)) * 4)
        assert [n.op_type for n in built.graph.node].count("Div") == 0


@pytest.mark.parametrize("opset", [9, 18])
@pytest.mark.parametrize(
    ("attributes", "scale", "zero", "bits", "low", "high"),
    [
        ("signed = 0, narrow = 0", 1, 0, 1, 0, 1),
        ("signed = 0, narrow = 0", 0.5, 0, 2, 0, 3),
        ("signed = 1, narrow = 1", 0.25, 0, 2, -1, 1),
        ("signed = 1, narrow = 0", 0.25, 1, 3, -4, 3),
        ("signed = 0, narrow = 1", 0.125, 2, 4, 0, 14),
    ],
)
def test_several_bits_are_clamped_and_rounded(attributes, scale, zero, bits, low, high, opset):
    node = f"output = {QONNX}.Quant <{attributes}> (input, s, z, b)"
    found = run(expanded(node, {"s": scale, "z": zero, "b": bits}, opset=opset))
    np.testing.assert_array_equal(found, quantized(X, scale, zero, low, high))


ROUNDINGS = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.fix,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + np.float32(0.5)),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5)),
}


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_every_rounding_mode(mode):
    for bits, (low, high) in {1: (0, 1), 3: (-4, 3)}.items():
        signed = int(low < 0)
        node = f'output = {QONNX}.Quant <signed = {signed}, narrow = 0, rounding_mode = "{mode}"> (input, s, z, b)'
        found = run(expanded(node, {"s": 0.25, "z": 0, "b": bits}))
        np.testing.assert_array_equal(found, quantized(X, 0.25, 0, low, high, ROUNDINGS[mode]))


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_thresholds_are_counted(steps, opset):
    limits = np.sort(np.random.default_rng(0).choice(STEPS, (2, steps)), axis=1)
    x = np.broadcast_to(X, (2, X.size))[None].astype(np.float32)
    node = f'output = {QONNX}.MultiThreshold <out_dtype = "INT8", out_scale = 0.5, out_bias = -1.0> (input, t)'
    expected = (x[..., None] >= limits[:, None]).sum(axis=-1) * np.float32(0.5) - 1
    image = x[..., None]  # a rank of 4 is taken for NCHW, one of 3 for NWC
    shape = ",".join(map(str, image.shape))
    found = run(expanded(node, {"t": limits}, opset=opset, shape=shape), image)
    np.testing.assert_array_equal(found[..., 0], expected)
    turned = node.replace("out_dtype", 'data_layout = "NWC", out_dtype')
    found = run(expanded(turned, {"t": limits}, opset=opset, shape=f"1,{X.size},2"), x.transpose(0, 2, 1).copy())
    np.testing.assert_array_equal(found, expected.transpose(0, 2, 1))


@pytest.mark.parametrize("levels", [2, 5, 16])
@pytest.mark.parametrize("limits", [(-1, 1, -2, 3), (0, 2, 1, -1)])
def test_fake_quantize(levels, limits):
    low, high, out_low, out_high = map(np.float32, limits)
    node = f"output = org.openvinotoolkit.FakeQuantize <levels = {levels}> (input, a, b, c, d)"
    found = run(expanded(node, dict(zip("abcd", limits))))
    inside = np.round((X - low) / (high - low) * np.float32(levels - 1)) / np.float32(levels - 1)
    expected = np.where(low >= X, out_low, np.where(high < X, out_high, inside * (out_high - out_low) + out_low))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_fake_quantize_at_one_limit_is_strict():
    node = "output = org.openvinotoolkit.FakeQuantize <levels = 2> (input, a, a, c, d)"
    np.testing.assert_array_equal(run(expanded(node, {"a": 0.5, "c": -1, "d": 1})), np.where(X > 0.5, 1, -1))


def test_trunc_keeps_the_upper_bits():
    x = (np.arange(-32, 32, dtype=np.float32) / 8)[None]
    node = f'output = {QONNX}.Trunc <rounding_mode = "FLOOR"> (input, s, z, b, k)'
    found = run(expanded(node, {"s": 0.125, "z": 0, "b": 6, "k": 4}), x)
    np.testing.assert_array_equal(found, np.floor(np.round(x / 0.125) / 4) * 0.125)
    node = f'output = {QONNX}.Trunc <rounding_mode = "FLOOR", signed = 1, narrow = 0> (input, s, z, b, o, k)'
    found = run(expanded(node, {"s": 0.125, "z": 0, "b": 6, "o": 0.5, "k": 3}), x)
    np.testing.assert_array_equal(found, np.clip(np.floor(np.round(x / 0.125) / 4), -4, 3) * 0.5)


def test_nodes_of_other_element_types_keep_them():
    built = expanded(f"output = {QONNX}.BipolarQuant (input, s)", {"s": 0.5})
    for dtype, element in ((np.float64, TensorProto.DOUBLE), (np.float16, TensorProto.FLOAT16)):
        other = model(f"output = {QONNX}.BipolarQuant (input, s)", {"s": np.float32(0.5)}, outputs="float[1,N] output")
        for value in (other.graph.input[0], other.graph.output[0]):
            value.type.tensor_type.elem_type = element
        expand_quantizers(other)
        x = X.astype(dtype)
        other.graph.input[0].type.tensor_type.shape.CopyFrom(built.graph.input[0].type.tensor_type.shape)
        found = run(other, x)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.where(x >= 0, 0.5, -0.5))


def test_a_function_of_the_file_is_what_it_says():
    function = f'<domain: "{QONNX}", opset_import: ["" : 18]> BipolarQuant (x, scale) => (y) {{ y = Neg (x) }}'
    built = model(f"output = {QONNX}.BipolarQuant (input, s)", {"s": np.float32(1)}, functions=function)
    assert not has_quantizers(built)


@pytest.mark.parametrize(
    ("node", "constants", "kind", "text"),
    [
        ("Quant <signed = 1> (input, s, z)", {"s": 1, "z": 0}, InputError, "has the inputs x, scale, zero point"),
        ("Quant <signed = 1> (input, s, z, b)", {"s": 1, "z": 0, "b": 2.5}, UnsupportedError, "one whole number"),
        ("Quant <signed = 1> (input, s, z, input)", {"s": 1, "z": 0}, UnsupportedError, "its bit width is computed"),
        ("Quant <signed = 1> (input, s, z, b)", {"s": 1, "z": 0, "b": 60}, UnsupportedError, "at most 24"),
        (
            'Quant <signed = 1, rounding_mode = "X"> (input, s, z, b)',
            {"s": 1, "z": 0, "b": 2},
            InputError,
            "rounding_mode is one of ROUND",
        ),
        ("MultiThreshold (input, t)", {"t": [1, 2]}, InputError, r"thresholds is \[channels or 1, steps\]"),
        ("Trunc (input, s)", {"s": 1}, InputError, "it has 5 inputs, or 6"),
        ("FakeQuantize <levels = 1> (input, s, s, s, s)", {"s": 1}, InputError, "levels is 2 or more"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(node, constants, kind, text):
    with pytest.raises(kind, match=f"^node 'output' .*{text}"):
        expanded(f"output = {QONNX}.{node}", constants)


def test_a_file_without_these_nodes_is_left_alone():
    built = model("output = Relu (input)")
    before = built.SerializeToString()
    expand_quantizers(built)
    assert built.SerializeToString() == before
