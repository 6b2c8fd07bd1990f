"""What is rewritten for onnxruntime, and what is left as it is; test_verify_artifact.py runs the results."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from b2nn_tvm.verification.oracle_model import needs_rewriting, rewritten
from tests.support.networks.onnx_models import BINARY_CONV2D, model
from tests.support.networks.onnx_networks import IMAGE, binary, binary_constants

QUANT = "qonnx.custom_op.general.BipolarQuant"


def operators(built: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in built.graph.node if node.op_type != "Constant"]


@pytest.mark.parametrize("sign_zero", [None, "+1", "-1"])
def test_a_file_that_onnxruntime_has_all_operators_of_is_left(sign_zero):
    built = model(
        binary("input", "a", "u", 4) + " output = Relu (a)",
        binary_constants("u", 6, 4),
        inputs=IMAGE,
        functions=BINARY_CONV2D,
    )
    assert not needs_rewriting(built, sign_zero=sign_zero)


def test_sign_is_left_where_it_is_0_at_0():
    built = model("output = Sign (input)")
    assert not needs_rewriting(built, sign_zero=None)
    assert needs_rewriting(built, sign_zero="+1")
    assert operators(rewritten(built, sign_zero="-1")) == ["Greater", "Where"]


def test_the_tail_of_a_silu_keeps_its_sign():
    """In float32 onnxruntime's Sigmoid is 0 there, and the product -0, which is not below 0."""
    built = model("s = Sigmoid (input) output = Mul (input, s)", inputs="float[1,4] input", opset=13)
    assert needs_rewriting(built, sign_zero=None)
    image = np.array([[-17.5, -30, -100, 2]], np.float32)
    exact = image / (1 + np.exp(-image.astype(np.float64)))
    session = onnxruntime.InferenceSession(rewritten(built, sign_zero=None).SerializeToString())
    (found,) = session.run(None, {"input": image})
    assert found.dtype == np.float32 and np.allclose(found, exact, rtol=1e-6, atol=1e-40) and (found[0, :3] < 0).all()


def test_the_file_keeps_its_opset_and_passes_the_checker():
    nodes = f"a = Sign (input) b = {QUANT} (a, s) output = Neg (b)"
    built = model(nodes, {"s": np.float32(0.5)}, opset=11, outputs="float[1,4,6,5] output")
    found = rewritten(built, sign_zero="+1")
    assert {opset.domain: opset.version for opset in found.opset_import}[""] == 11
    sign = ["Greater", "Equal", "Or", "Where"]
    assert operators(found) == [*sign, "Greater", "Where", "Mul", "Neg"]
    onnx.checker.check_model(found, full_check=True)


def test_a_definition_of_the_file_is_what_it_says():
    """Whoever defines BipolarQuant in the file says what it means; onnxruntime takes that."""
    body = '<domain: "qonnx.custom_op.general", opset_import: ["" : 18]>\nBipolarQuant (x, s) => (y) { y = Mul (x, s) }'
    built = model(f"output = {QUANT} (input, s)", {"s": np.float32(0.5)}, functions=body)
    assert not needs_rewriting(built, sign_zero=None)


def test_a_missing_definition_is_added_once_and_only_it():
    nodes = binary("input", "a", "u", 4) + binary("a", "output", "v", 6)
    constants = {**binary_constants("u", 6, 4), **binary_constants("v", 6, 6)}
    found = rewritten(model(nodes, constants, inputs=IMAGE), sign_zero=None)
    assert [(function.domain, function.name) for function in found.functions] == [("b2nn", "BinaryConv2d")]
    onnx.checker.check_model(found, full_check=True)
