"""float16 models: the graph is float32, the inputs and outputs are as before."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm import compile_model
from b2nn_tvm.frontend.graph.value_types import value_types
from b2nn_tvm.frontend.versions.widen_half import widen_half
from tests.support.networks.onnx_models import model, onnxruntime_output, save
from tests.support.networks.same_results import assert_same, image
from tests.support.passes.relax_functions import random_signs

HALF = TensorProto.FLOAT16


def halves(*shape, seed=0):
    return image(shape, seed).astype(np.float16)


def inner_types(built):
    outside = {value.name for value in (*built.graph.input, *built.graph.output)}
    casts = {name for node in built.graph.node if node.op_type == "Cast" for name in node.output}
    return {found.elem_type for name, found in value_types(built).items() if name not in outside | casts}


@pytest.mark.parametrize(
    "nodes",
    [
        "c = Conv (input, w) output = Relu (c)",
        "m = Mul (input, half) output = Add (m, half)",
        "c = Clip (input, low) output = MaxPool <kernel_shape = [2, 2]> (c)",
        "f = Cast <to = 1> (input) s = Softmax (f) output = Cast <to = 10> (s)",
    ],
)
def test_results_stay_within_half_precision(nodes):
    constants = {"w": halves(3, 4, 3, 3), "low": np.float16(-0.5), "half": np.float16(0.5)}
    used = {name: value for name, value in constants.items() if f" {name})" in nodes}
    before = model(nodes, used, inputs="float16[1,4,6,5] input", outputs="float16 output")
    after = assert_same(before, widen_half, halves(1, 4, 6, 5), tolerance=4e-3)
    assert HALF not in inner_types(after)


def test_explicit_casts_round():
    """1 + 2^-12 is no number of half precision."""
    built = model("h = Cast <to = 10> (input) output = Cast <to = 1> (h)", outputs="float output")
    x = np.full((1, 4, 6, 5), 1 + 2**-12, np.float32)
    assert_same(built, widen_half, x, tolerance=0)


def test_signs_are_decided_as_by_onnxruntime_which_rounds_nothing_between_operators(tmp_path):
    """Next to 1000, numbers of half precision are 0.5 apart: with each result rounded, x >= 0.25 would do."""
    built = model(
        "a = Add (input, shift) g = GreaterOrEqual (a, limit) output = Where (g, one, minus_one)",
        {
            name: np.float16(value)
            for name, value in (("shift", 1000), ("limit", 1000.5), ("one", 1), ("minus_one", -1))
        },
        inputs="float16[1,4,6,5] input",
        outputs="float16 output",
    )
    x = halves(1, 4, 6, 5)
    found = assert_same(built, widen_half, x, tolerance=0)
    assert HALF not in inner_types(found)
    expected = np.where(x.astype(np.float32) >= 0.5, 1, -1)
    np.testing.assert_array_equal(onnxruntime_output(save(tmp_path, built), x), expected)
    assert (np.where(x + np.float16(1000) >= np.float16(1000.5), 1, -1) != expected).any(), "it matters here"


def test_bodies_of_branches_are_widened():
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.float16(0.5)))
    nodes = [constant, helper.make_node("Mul", ["input", "c"], ["output"])]
    branch = helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("output", HALF, None)])
    built = model("k = Constant <value = bool {1}> ()", inputs="float16[1,4,6,5] input", outputs="float16 y")
    built.graph.node.append(helper.make_node("If", ["k"], ["y"], then_branch=branch, else_branch=branch))
    widen_half(built)
    assert branch.output[0].type.tensor_type.elem_type == HALF  # the node holds a copy
    inside = next(node for node in built.graph.node if node.op_type == "If").attribute[0].g
    assert inside.node[0].attribute[0].t.data_type == TensorProto.FLOAT
    assert inside.node[1].input[0] == "input/float"
    assert inside.output[0].type.tensor_type.elem_type == TensorProto.FLOAT


def test_other_models_are_left_alone():
    built = model("output = Relu (input)")
    before = built.SerializeToString()
    widen_half(built)
    assert built.SerializeToString() == before


def test_a_binary_network_in_half_precision(tmp_path):
    """Signs are those of float32 sums of the file's numbers, and the binary layer is computed on bits."""
    constants = {
        "w": halves(32, 4, 3, 3),
        "b": random_signs((8, 32, 3, 3)).astype(np.float16),
        "t": np.float16(0.1),
        "one": np.float16(1),
        "minus": np.float16(-1),
    }
    nodes = """c = Conv <pads = [1, 1, 1, 1]> (input, w) k = GreaterOrEqual (c, t) s = Where (k, one, minus)
        output = Conv <pads = [1, 1, 1, 1]> (s, b)"""
    built = model(nodes, constants, inputs="float16[1,4,9,9] input", outputs="float16 output")
    for node, name in zip((built.graph.node[0], built.graph.node[3]), ("stem", "body")):
        node.name = name
    path, x = save(tmp_path, built), halves(1, 4, 9, 9)
    with compile_model(path, output=tmp_path / "library") as artifact:
        assert {row.name: row.precision for row in artifact.layers if row.op == "conv2d"} == {
            "stem": "float",
            "body": "binary",
        }
        got = artifact.run({"input": x})["output"]
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, onnxruntime_output(path, x))
