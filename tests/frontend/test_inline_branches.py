"""If and Loop whose way is known are written out; the network computes what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.read_onnx import name_nodes
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import image, run

SHAPES = {"input": (1, 4, 6, 5)}


def body(text, inputs=(), outputs=("y",), constants=None):
    graph = model(text, constants).graph
    values = [
        helper.make_tensor_value_info(name, kind, [] if kind != TensorProto.FLOAT else None) for name, kind in inputs
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    return helper.make_graph(graph.node, "body", values, results, graph.initializer)


LOOP_INPUTS = (("i", TensorProto.INT64), ("on", TensorProto.BOOL), ("v", TensorProto.FLOAT))


def folded(built):
    """The model without branches, after a comparison of both in onnxruntime."""
    before = run(built, image())
    after = onnx.ModelProto.FromString(built.SerializeToString())
    name_nodes(after.graph)
    after = fold_constants(after, SHAPES)
    for got, expected in zip(run(after, image()), before, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    return [node.op_type for node in after.graph.node]


def test_a_condition_on_static_shapes():
    built = model(
        """s = Shape <start = 2, end = 3> (input) five = Constant <value_int = 5> () k = Greater (s, five)
        c = Squeeze (k)""",
        outputs="float output",
    )
    then = body("t = Relu (input) y = Add (t, w)", constants={"w": np.float32(2)})
    node = helper.make_node("If", ["c"], ["output"], then_branch=then, else_branch=body("y = Sigmoid (input)"))
    built.graph.node.append(node)
    assert folded(built) == ["Relu", "Add", "Identity"]


def test_branches_in_branches():
    inner = helper.make_node(
        "If", ["no"], ["y"], then_branch=body("p = Relu (r)", (), ("p",)), else_branch=body("n = Neg (r)", (), ("n",))
    )
    outer = body("r = Abs (input) no = Constant <value = bool {0}> ()")
    outer.node.append(inner)
    built = model("yes = Constant <value = bool {1}> ()", outputs="float output")
    built.graph.node.append(
        helper.make_node("If", ["yes"], ["output"], then_branch=outer, else_branch=body("y = Sqrt (input)"))
    )
    assert folded(built) == ["Abs", "Neg", "Identity", "Identity"]


def test_a_loop_with_a_known_count_and_stacked_results():
    inside = body(
        "go = Identity (on) f = Cast <to = 1> (i) w = Add (v, f) m = ReduceMax <keepdims = 0> (w)",
        LOOP_INPUTS,
        ("go", "w", "m"),
    )
    built = model("n = Constant <value_int = 3> ()", outputs="float output, float maxima")
    built.graph.node.append(helper.make_node("Loop", ["n", "", "input"], ["output", "maxima"], body=inside))
    ops = folded(built)
    assert ops.count("Add") == 3
    assert "Loop" not in ops


@pytest.mark.parametrize(("first", "runs"), [(True, 1), (False, 0)])
def test_a_loop_that_ends_at_once(first, runs):
    inside = body("go = Constant <value = bool {0}> () w = Neg (v)", LOOP_INPUTS, ("go", "w"))
    built = model("n = Constant <value_int = 7> ()", outputs="float output")
    built.graph.initializer.append(numpy_helper.from_array(np.array(first), "first"))
    built.graph.node.append(helper.make_node("Loop", ["n", "first", "input"], ["output"], body=inside))
    assert folded(built).count("Neg") == runs


def left_alone(count, inside, **constants):
    """Whether a loop stays as it is; ``count`` None stands for a number of runs that is not known."""
    built = model("k = ReduceMax <keepdims = 0> (input) m = Cast <to = 7> (k)", constants, outputs="float output")
    built.graph.initializer.append(numpy_helper.from_array(np.array(count or 0), "n"))
    most = "m" if count is None else "n"
    built.graph.node.append(helper.make_node("Loop", [most, "", "input"], ["output"], body=inside, name="loop"))
    return "Loop" in [node.op_type for node in fold_constants(built, SHAPES).graph.node]


@pytest.mark.parametrize("count", [None, 10**9])
def test_what_is_not_known_or_too_long_is_left_alone(count):
    assert left_alone(count, body("go = Identity (on) w = Neg (v)", LOOP_INPUTS, ("go", "w")))


def test_a_condition_on_the_values_of_the_network_is_left_alone():
    nodes = "m = ReduceMax <keepdims = 0> (v) go = Cast <to = 9> (m) w = Neg (v)"
    assert left_alone(3, body(nodes, LOOP_INPUTS, ("go", "w")))


def test_a_condition_that_never_ends_is_left_alone():
    nodes = "low = Constant <value_int = -1> () go = Greater (i, low) w = Neg (v)"
    assert left_alone(10**18, body(nodes, LOOP_INPUTS, ("go", "w")))


@pytest.mark.parametrize(
    ("condition", "runs"),
    [("go = Less (i, three)", 4), ("a = Not (on) go = Not (a)", 10), ("q = Not (on) go = And (on, q)", 1)],
)
def test_conditions_that_the_body_computes(condition, runs):
    inside = body(f"{condition} w = Neg (v)", LOOP_INPUTS, ("go", "w"))
    built = model("n = Constant <value_int = 10> () three = Constant <value_int = 3> ()", outputs="float output")
    built.graph.node.append(helper.make_node("Loop", ["n", "", "input"], ["output"], body=inside))
    assert folded(built).count("Neg") == runs


def test_a_counter_that_the_body_carries():
    """``while k < 8: k *= 2`` of a scripted module has no other bound."""
    inputs = (*LOOP_INPUTS, ("k", TensorProto.INT64))
    inside = body("next = Add (k, k) go = Less (next, eight) w = Neg (v)", inputs, ("go", "w", "next"))
    text = "one = Constant <value_int = 1> () eight = Constant <value_int = 8> ()"
    built = model(text, outputs="float output, int64 last")
    built.graph.node.append(helper.make_node("Loop", ["", "", "input", "one"], ["output", "last"], body=inside))
    ops = folded(built)
    assert (ops.count("Neg"), "Loop" in ops) == (3, False)
