"""The functions in ONNX compute what the definition in numpy computes, in ONNX's own reference implementation."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from b2nn_tvm import reference
from b2nn_tvm.reference.onnx_functions import (
    DOMAIN,
    FUNCTIONS,
    NAME,
    OPSET,
    VERSION,
    WEIGHT_NAME,
    binary_conv2d_function,
    weight_binary_conv2d_function,
)

OUT, CHANNELS = 2, 9  # a channel more than a byte holds
GEOMETRY = {"stride": (2, 1), "padding": (1, 0, 2, 1), "dilation": (1, 2)}


def evaluate(name: str, pad_value: int, inputs: dict[str, np.ndarray], **attributes: int) -> np.ndarray:
    """A model of one call of the function."""
    stride, padding, dilation = GEOMETRY.values()
    node = helper.make_node(
        name,
        list(inputs),
        ["y"],
        domain=DOMAIN,
        kernel_shape=[3, 2],
        strides=stride,
        pads=padding,
        dilations=dilation,
        pad_value=float(pad_value),
        **{"channels": CHANNELS, "group": 1, **attributes},
    )
    given = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for key, value in inputs.items()
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "O", "H", "W"])
    graph = helper.make_graph([node], "one", given, [output])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[FUNCTIONS[name]()], ir_version=10)
    onnx.checker.check_model(model)
    return ReferenceEvaluator(model).run(None, inputs)[0]


@pytest.fixture
def given() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, CHANNELS, 5, 4)).astype(np.float32)
    x[0, :, 2, 2] = 0.0
    signs = rng.choice(np.array([-1, 1], np.int8), (OUT, CHANNELS, 3, 2))
    scale = np.array([0.5, -2.0], np.float32)
    return {"x": x, "signs": signs, "weight": reference.pack(signs.transpose(0, 2, 3, 1)), "scale": scale}


def without_signs(given):
    return {key: value for key, value in given.items() if key != "signs"}


@pytest.mark.parametrize("pad_value", [0, 1, -1])
def test_the_binary_convolution(given, pad_value):
    threshold = np.linspace(-0.5, 0.5, CHANNELS, dtype=np.float32)
    found = evaluate(NAME, pad_value, {**without_signs(given), "threshold": threshold})
    signs = reference.sign(given["x"], threshold[:, None, None])
    sums = reference.binary_conv2d(signs, given["signs"], **GEOMETRY, pad_value=pad_value)
    np.testing.assert_array_equal(found, sums * given["scale"][:, None, None])


def test_groups(given):
    """Two groups of nine channels with a filter each."""
    x = np.concatenate([given["x"], -given["x"]], axis=1)
    inputs = {**without_signs(given), "x": x, "threshold": np.zeros(2 * CHANNELS, np.float32)}
    found = evaluate(NAME, -1, inputs, group=2)
    sums = reference.binary_conv2d(reference.sign(x), given["signs"], **GEOMETRY, groups=2, pad_value=-1)
    np.testing.assert_array_equal(found, sums * given["scale"][:, None, None])


@pytest.mark.parametrize("pad_value", [0, 1, -1])
def test_the_convolution_of_a_float_input(given, pad_value):
    found = evaluate(WEIGHT_NAME, pad_value, without_signs(given))
    expected = reference.weight_binary_conv2d(
        given["x"], given["signs"], given["scale"], **GEOMETRY, pad_value=pad_value
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_functions_have_their_names():
    assert [binary_conv2d_function().name, weight_binary_conv2d_function().name] == list(FUNCTIONS)
    assert {make().domain for make in FUNCTIONS.values()} == {DOMAIN}


def test_sums_stay_exact_in_an_optimized_session():
    """onnxruntime folds a scale that is the second factor into the weights; then sums of 0 come out as 1e-8."""
    import onnxruntime

    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 16, 8, 8)).astype(np.float32)
    signs = rng.choice(np.array([-1, 1], np.int8), (16, 16, 3, 3))
    scale = rng.uniform(0.1, 1, 16).astype(np.float32)
    sums = reference.binary_conv2d(reference.sign(x), signs)
    call = helper.make_node(
        NAME,
        ["x", "weight", "scale", "threshold"],
        ["y"],
        domain=DOMAIN,
        kernel_shape=[3, 3],
        strides=[1, 1],
        pads=[0] * 4,
        dilations=[1, 1],
        pad_value=0.0,
        channels=16,
        group=1,
    )
    constants = {"weight": reference.pack(signs.transpose(0, 2, 3, 1)), "scale": scale, "threshold": np.zeros(16, "f4")}
    graph = helper.make_graph(
        [call],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sums.shape)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[FUNCTIONS[NAME]()], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    assert (sums == 0).sum() > 20
    np.testing.assert_array_equal(found, sums.astype(np.float32) * scale[:, None, None])
