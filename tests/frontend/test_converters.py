"""Operators compute what onnxruntime computes, or are refused with the name of their node."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax.frontend.onnx import onnx_frontend

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.imported import imported, name_nodes
from tests.support.networks.onnx_models import model, onnxruntime_output, save
from tests.support.passes.relax_functions import random_input, run


def test_the_importer_is_left_as_it_was(tmp_path):
    before = onnx_frontend._get_convert_map
    imported(tmp_path, "output = Sign (input)")
    with pytest.raises(UnsupportedError):
        imported(tmp_path, "output = Reshape (input, rank)", inputs="float[1,4,6,5] input, int64[2] rank")
    assert onnx_frontend._get_convert_map is before
    assert "BinaryConv2d" not in before()


def test_a_failing_conversion_names_its_node_and_prints_nothing(tmp_path, capfd):
    built = model(
        "y = Relu (input) output = Resize (y, none, none, sizes)",
        inputs="float[1,4,6,5] input, int64[4] sizes, float[0] none",
    )
    path = save(tmp_path, name_nodes(built, "", "upsample"))
    with pytest.raises(UnsupportedError, match="node 'upsample' "):
        import_onnx(path)
    assert capfd.readouterr() == ("", "")


def test_outputs_without_elements(tmp_path):
    with pytest.raises(UnsupportedError, match=r"node 'Split_0' \(Split\): its output has no elements"):
        nodes, outputs = "output, rest = Split <axis = 1> (input, parts)", "float output, float rest"
        imported(tmp_path, nodes, {"parts": np.array([4, 0])}, outputs=outputs)


def test_shapes_that_depend_on_values(tmp_path):
    with pytest.raises(
        UnsupportedError, match=r"node 'NonZero_0' \(NonZero\): the shape of its output depends on values"
    ):
        imported(tmp_path, "output = NonZero (input)", outputs="int64[4,n] output")


OPERATORS = {
    "prelu per channel": ("output = PRelu (input, vector)", 18),
    "pad of opset 11": ("output = Pad (input, pads)", 11),
    "batch norm of opset 11": ("output = BatchNormalization (input, gamma, gamma, mean, gamma)", 11),
    "batch norm of rows": (
        (
            "f = Flatten <axis = 2> (input) t = Transpose (f) x = Reshape (t, rows) output = BatchNormalization (x,"
            " gamma, mean, mean, gamma)"
        ),
        18,
    ),
    "sign": ("output = Sign (input)", 18),
    "constants": (
        (
            "a = Constant <value_float = 0.5> () b = Constant <value_floats = [1.0, 2.0, 3.0, 4.0, 5.0]> () c = Mul"
            " (input, a) output = Add (c, b)"
        ),
        18,
    ),
    "integer constants": ("a = Constant <value_ints = [1, 20, 6]> () output = Reshape (input, a)", 18),
}


CONSTANTS = {
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, 1]),
    "vector": np.array([-1, 0, 0.5, 1], np.float32).reshape(4, 1, 1),
    "gamma": np.array([1, 2, 3, 0.5], np.float32),
    "mean": np.array([1, -2, 3, 0], np.float32),
    "rows": np.array([30, 4]),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_compute_what_onnxruntime_computes(name, tmp_path):
    nodes, opset = OPERATORS[name]
    used = {key: value for key, value in CONSTANTS.items() if f" {key})" in nodes or f" {key}," in nodes}
    path = save(tmp_path, model(nodes, used, opset=opset, outputs="float output"))
    x = random_input()
    np.testing.assert_allclose(run(import_onnx(path).module, x), onnxruntime_output(path, x), rtol=1e-5, atol=1e-5)
