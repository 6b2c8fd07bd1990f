"""Operators without a converter become what ONNX defines them as."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.converters import known_ops
from b2nn_tvm.frontend.expand_functions import expand_functions
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import compiled, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 3, 4, 5))
NODES = {
    "celu": ("Celu", ["x"], {"alpha": 2.0}),  # its definition depends on its type
    "cropped": ("CenterCropPad", ["x", "shape"], {"axes": [2, 3]}),
}


def test_the_values(tmp_path):
    found = compiled(tmp_path, operators_model(NODES, {"x": X}, {"shape": np.array([2, 7])}), {"x": X})
    np.testing.assert_allclose(
        found["celu"], np.maximum(X, 0) + np.minimum(0, 2 * np.expm1(X / 2)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(found["cropped"], np.pad(X[:, :, 1:3], ((0, 0), (0, 0), (0, 0), (1, 1))))


def test_every_node_has_a_name_of_its_own_and_the_model_stays_as_it_was():
    model = operators_model({**NODES, "again": NODES["celu"]}, {"x": X}, {"shape": np.array([2, 7])})
    before = model.SerializeToString()
    expanded = expand_functions(model, known_ops())
    assert model.SerializeToString() == before
    assert not {"Celu", "CenterCropPad"} & {node.op_type for node in expanded.graph.node}
    names = [node.name for node in expanded.graph.node]
    assert all(names) and len(set(names)) == len(names)
    onnx.checker.check_model(expanded)


def test_known_operators_stay():
    model = operators_model({"y": ("Relu", ["x"], {})}, {"x": X})
    assert expand_functions(model, known_ops()) is model


def test_an_operator_with_a_namesake_in_another_domain(tmp_path):
    """TVM knows Attention of onnxruntime's domain, which has other inputs."""
    tensors = {name: random_input((1, heads, 5, 8), seed) for seed, (name, heads) in enumerate(zip("qkv", (4, 2, 2)))}
    model = operators_model({"y": ("Attention", ["q", "k", "v"], {"scale": 0.3})}, tensors, opset=23)
    (expected,) = ReferenceEvaluator(model).run(None, tensors)
    assert "Attention" not in {node.op_type for node in expand_functions(model, known_ops()).graph.node}
    np.testing.assert_allclose(compiled(tmp_path, model, tensors)["y"], expected, rtol=1e-4, atol=1e-5)


def test_attributes_that_are_left_out_have_their_defaults():
    model = operators_model({"y": ("SwiGLU", ["x", "x"], {})}, {"x": X}, opset=28)
    expanded = expand_functions(model, known_ops())
    (found,) = ReferenceEvaluator(expanded).run(None, {"x": X})
    np.testing.assert_allclose(found, X / (1 + np.exp(-X)) * X, rtol=1e-5)


def test_what_has_no_definition_is_refused_by_its_name(tmp_path):
    model = operators_model({"y": ("Det", ["x"], {})}, {"x": X[..., :4]})
    with pytest.raises(UnsupportedError, match="Det"):
        import_onnx(save(tmp_path, model))
