"""Dense layers are known by their weights, in whichever node these stand."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from b2nn_tvm import compile_model
from b2nn_tvm.frontend.operators.node import const
from b2nn_tvm.frontend.operators.products.dense_rows import dense_rows
from tests.support.networks.onnx_models import model, onnxruntime_output, save
from tests.support.passes.relax_functions import random_input, random_signs

W = random_input((7, 5))


def tensor(*shape):
    return relax.Var("x", relax.TensorType(shape, "float32"))


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"),
    [
        ("Gemm", [tensor(2, 5), const(W)], {"transB": 1}),
        ("Gemm", [tensor(2, 5), const(W.T)], {}),
        ("MatMul", [tensor(2, 5), const(W.T)], {}),
        ("MatMul", [const(W), tensor(2, 5, 3)], {}),
        ("MatMul", [tensor(2, 4, 5), const(W.T[None])], {}),
        ("Einsum", [tensor(2, 5, 3), const(W)], {"equation": "bcw,oc->bow"}),
        ("Einsum", [const(W), tensor(2, 5)], {"equation": "oc,bc->bo"}),
    ],
)
def test_weights(op, inputs, attrs):
    np.testing.assert_array_equal(dense_rows(op, inputs, attrs), W)


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"),
    [
        ("MatMul", [tensor(2, 5), tensor(5, 3)], {}),
        ("MatMul", [tensor(2, 5), const(W.T[None])], {}),  # whose result has an axis more
        ("MatMul", [tensor(2, 4, 5), const(np.stack([W.T, W.T]))], {}),
        ("Einsum", [tensor(7, 5, 3), const(W)], {"equation": "boc,bo->bc"}),  # weights for each image
    ],
)
def test_what_is_no_dense_layer(op, inputs, attrs):
    assert dense_rows(op, inputs, attrs) is None


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        ('output = Einsum <equation = "bchw,oc->bohw"> (s, w)', (6, 64)),
        ("t = Reshape (s, rows) output = MatMul (w, t)", (1, 6, 64)),
    ],
)
def test_they_are_binary_behind_a_sign(tmp_path, node, shape):
    sign = "c = Add (input, b) at_least = GreaterOrEqual (c, zero) s = Where (at_least, one, minus_one)"
    numbers = {"zero": np.float32(0), "one": np.float32(1), "minus_one": np.float32(-1)}
    constants = {"b": random_input((64, 1, 1)) + 0.1, "w": random_signs(shape), **numbers}
    if "rows" in node:
        constants["rows"] = np.array([1, 64, 30])
    path = save(tmp_path, model(f"{sign} {node}", constants, inputs="float[1,64,6,5] input", outputs="float output"))
    x = random_input((1, 64, 6, 5), 1)
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert [layer.precision for layer in artifact.layers if layer.precision == "binary"]
        found = artifact.run({"input": x})["output"]
    np.testing.assert_array_equal(found, onnxruntime_output(path, x))
