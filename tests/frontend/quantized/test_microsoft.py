"""Operators that onnxruntime's tools write give the integers that onnxruntime gives."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (1, 4, 6, 5)).astype(np.uint8)
PAIR = {"xs": np.float32(0.04), "xz": np.uint8(90), "ys": np.float32(0.05), "yz": np.uint8(110)}


def microsoft(nodes, constants, **types):
    built = model(nodes, constants, **types)
    built.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return built


@pytest.mark.parametrize(
    "nodes",
    [
        "output = com.microsoft.QLinearAdd (input, xs, xz, input, ys, yz, ys, yz)",
        "output = com.microsoft.QLinearMul (input, xs, xz, input, ys, yz, ys, yz)",
        "output = com.microsoft.QLinearLeakyRelu <alpha = 0.1> (input, xs, xz, ys, yz)",
        "output = com.microsoft.QLinearSigmoid (input, xs, xz, qs, qz)",
        "output = com.microsoft.QLinearGlobalAveragePool (input, xs, xz, ys, yz)",
        "output = com.microsoft.QLinearAveragePool <kernel_shape = [2, 2]> (input, xs, xz, ys, yz)",
        "output = com.microsoft.QLinearConcat <axis = 1> (ys, yz, input, xs, xz, input, ys, yz)",
    ],
)
def test_quantized_operators(nodes):
    constants = {**PAIR, "qs": np.float32(1 / 256), "qz": np.uint8(0)}
    used = {name: value for name, value in constants.items() if f"{name}," in nodes or f"{name})" in nodes}
    built = microsoft(nodes, used, inputs="uint8[1,4,6,5] input", outputs="uint8 output")
    assert_same(built, expand_quantized, X, tolerance=1)  # onnxruntime multiplies by rounded ratios of scales


@pytest.mark.parametrize(
    "activation",
    ["", 'activation = "Relu"', 'activation = "LeakyRelu", activation_params = [0.1]'],
)
def test_fused_convolutions(activation):
    constants = {"w": image((4, 4, 3, 3), seed=1), "b": image((4,), seed=2)}
    options = ", ".join(filter(None, ["pads = [1, 1, 1, 1]", activation]))
    nodes = f"output = com.microsoft.FusedConv <{options}> (input, w, b, input)"
    assert_same(microsoft(nodes, constants, outputs="float output"), expand_quantized, image())


@pytest.mark.parametrize(
    "node",
    [
        "FusedMatMul (input, w)",
        "FusedMatMul <alpha = 0.5, transB = 1> (input, v)",
        "FusedMatMul <transA = 1, transB = 1> (input, u)",
        "QuickGelu (input)",
        "QuickGelu <alpha = 2.5> (input)",
    ],
)
def test_products_and_gates_in_floats(node):
    constants = {"w": image((5, 3), seed=1), "v": image((4, 3, 5), seed=2), "u": image((3, 6), seed=3)}
    used = {name: value for name, value in constants.items() if f"{name})" in node}
    built = microsoft(f"output = com.microsoft.{node}", used, outputs="float output")
    assert_same(built, expand_quantized, image())


def test_a_product_that_exchanges_axes_of_batches_is_refused():
    nodes = "output = com.microsoft.FusedMatMul <transBatchA = 1> (input, input)"
    with pytest.raises(UnsupportedError, match="axes of batches are exchanged"):
        expand_quantized(microsoft(nodes, {}, outputs="float output"))


def test_a_softmax_over_several_axes_is_refused():
    nodes = "output = com.microsoft.QLinearSoftmax <opset = 12, axis = 1> (input, xs, xz, ys, yz)"
    built = microsoft(nodes, PAIR, inputs="uint8[1,4,6,5] input", outputs="uint8 output")
    with pytest.raises(UnsupportedError, match="over several axes"):
        expand_quantized(built)


def test_an_activation_without_a_form_is_refused():
    nodes = 'output = com.microsoft.FusedConv <activation = "Softmax"> (input, w)'
    with pytest.raises(UnsupportedError, match="it is fused with Softmax"):
        expand_quantized(microsoft(nodes, {"w": image((4, 4, 3, 3))}))
