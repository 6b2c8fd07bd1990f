"""Known sequences and optional values as plain tensors; the network computes what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.inline_sequences import InlineSequences
from b2nn_tvm.frontend.read_onnx import name_nodes
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import image, run

SHAPES = {"input": (1, 4, 6, 5)}
OPS = ("Optional", "Sequence")
PLACES = {"first": np.array(0), "second": np.array(1), "last": np.array(-1), "two": np.array(2)}
TWO = "a = Relu (input) b = Neg (input) s = SequenceConstruct (a, b)"


def folded(built):
    """The operators of the model without sequences, after a comparison of both in onnxruntime."""
    after = onnx.ModelProto.FromString(built.SerializeToString())
    name_nodes(after.graph)
    after = fold_constants(after, SHAPES)
    for got, expected in zip(run(after, image()), run(built, image()), strict=True):
        np.testing.assert_array_equal(got, expected)
    ops = [node.op_type for node in after.graph.node]
    assert not [op for op in ops if any(word in op for word in OPS)]
    return ops


@pytest.mark.parametrize(
    "nodes",
    [
        "s = SplitToSequence <axis = 1> (input) output = SequenceAt (s, second)",
        "s = SplitToSequence <axis = -2, keepdims = 0> (input) output = SequenceAt (s, last)",
        "s = SplitToSequence <axis = 3> (input, two) output = SequenceAt (s, last)",
        "s = SplitToSequence <axis = 1> (input, sizes) output = SequenceAt (s, last)",
        f"{TWO} output = ConcatFromSequence <axis = 1> (s)",
        f"{TWO} output = ConcatFromSequence <axis = -1, new_axis = 1> (s)",
        f"{TWO} t = SequenceInsert (s, input, last) output = ConcatFromSequence <axis = 2> (t)",
        f"{TWO} t = SequenceInsert (s, input, two) output = ConcatFromSequence <axis = 2> (t)",
        f"{TWO} t = SequenceInsert (s, input) u = SequenceErase (t, first) output = ConcatFromSequence <axis = 2> (u)",
        f"{TWO} t = SequenceErase (s) n = SequenceLength (t) f = Cast <to = 1> (n) output = Add (input, f)",
        """e = SequenceEmpty <dtype = 1> () t = SequenceInsert (e, input) r = Identity (t)
        output = SequenceAt (r, first)""",
        "o = Optional (input) x = OptionalGetElement (o) output = Relu (x)",
    ],
)
def test_sequences(nodes):
    used = {name: value for name, value in {**PLACES, "sizes": np.array([1, 3])}.items() if f"{name})" in nodes}
    folded(model(nodes, used, outputs="float output"))


def test_a_list_that_a_loop_fills():
    """As torch's exporter writes a scripted loop that appends to a list."""
    inside = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["go"]),
            helper.make_node("Cast", ["i"], ["f"], to=1),
            helper.make_node("Mul", ["input", "f"], ["part"]),
            helper.make_node("SequenceInsert", ["s", "part"], ["t"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_sequence_value_info("t", TensorProto.FLOAT, None),
        ],
    )
    built = model("e = SequenceEmpty <dtype = 1> ()", PLACES, outputs="float output")
    built.graph.node.append(helper.make_node("Loop", ["two", "", "e"], ["all"], body=inside))
    built.graph.node.append(helper.make_node("ConcatFromSequence", ["all"], ["output"], axis=1))
    assert folded(built).count("Mul") == 2


def test_a_place_outside_of_its_sequence():
    built = model(f"{TWO} output = SequenceAt (s, two)", PLACES, outputs="float output")
    name_nodes(built.graph)
    with pytest.raises(InputError, match="asks for place 2 in a sequence of 2"):
        fold_constants(built, SHAPES)


@pytest.mark.parametrize("op", ["Identity", "SequenceAt", "SequenceInsert", "SplitToSequence", "ConcatFromSequence"])
@pytest.mark.parametrize(("inputs", "outputs"), [([], ["y"]), (["input"], []), (["input"], ["y"]), (["s"], ["y"])])
def test_damaged_nodes_are_left_alone(op, inputs, outputs):
    built = model(TWO, outputs="float output")
    built.graph.node.append(helper.make_node(op, inputs, outputs))
    inline, known = InlineSequences(), {}
    inline(built.graph, known, SHAPES)
    assert set(known) <= {"y/sizes"}


@pytest.mark.parametrize(
    "nodes",
    [f"{TWO} m = ReduceMax <keepdims = 0> (input) i = Cast <to = 7> (m) output = SequenceAt (s, i)", f"{TWO}"],
)
def test_what_is_not_known_stays(nodes):
    built = model(nodes, outputs="float output" if "output" in nodes else "seq(float[]) s")
    name_nodes(built.graph)
    assert "SequenceConstruct" in [node.op_type for node in fold_constants(built, SHAPES).graph.node]
