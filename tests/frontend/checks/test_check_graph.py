"""Every value of a graph is there once and before it is read; else an error names the node."""

from __future__ import annotations

import itertools
import time

import pytest
from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_graph import check_graph
from tests.support.networks.imported import FLOATS
from tests.support.networks.onnx_models import model

THREE = "a = Relu (input) b = Neg (a) output = Add (a, b)"


def test_a_graph_is_left_as_it_is():
    built = model("a = Conv (input, w) output = Relu (a)", {"w": FLOATS})
    before = built.SerializeToString()
    check_graph(built)
    assert built.SerializeToString() == before


def test_nodes_are_sorted_and_else_keep_their_order():
    built = model("d = Neg (c) output = Add (d, b) c = Exp (b) e = Abs (input) b = Relu (input)")
    check_graph(built)
    assert [node.op_type for node in built.graph.node] == ["Abs", "Relu", "Exp", "Neg", "Add"]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ("a = Add (input, b) b = Neg (a) output = Relu (b)", r"cycle, .*: node 1 \(Neg\) -> node 0 \(Add\); export"),
        ("a = Relu (a) output = Add (a, input)", r"has a cycle, which cannot be computed: node 0 \(Relu\);"),
        (
            "a = Add (f, input) b = Neg (a) c = Neg (b) d = Neg (c) e = Neg (d) f = Neg (e) output = Relu (f)",
            r"\(Neg\) and 2 more; export",
        ),
        ("a = Relu (nowhere) output = Add (a, input)", r"node 0 \(Relu\) reads the value 'nowhere', which is no input"),
        ("a = Relu (input) a = Neg (input) output = Relu (a)", r"'a' of node 1 \(Neg\) is computed by another node"),
        ("a = Relu (input) input = Neg (a) output = Relu (a)", r"'input' of node 1 \(Neg\) is given by the file"),
        ("w = Relu (input) output = Relu (w)", r"'w' of node 0 \(Relu\) is given by the file"),
        ("a = Relu (input)", "the output 'output' is computed by no node"),
    ],
)
def test_what_does_not_hang_together(nodes, text):
    with pytest.raises(InputError, match=text):
        check_graph(model(nodes, {"w": FLOATS}))


def test_a_name_in_an_error_is_short_and_on_one_line():
    built = model(THREE)
    built.graph.node[1].name, built.graph.node[1].input[0] = "up\n/down", "y" * 5000
    with pytest.raises(InputError, match=r"node 'up\\n/down' \(Neg\) reads the value 'y+\.\.\.y+', which") as caught:
        check_graph(built)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("part", ["input", "output", "initializer"])
def test_a_part_that_is_there_twice(part):
    built = model("output = Conv (input, w)", {"w": FLOATS})
    parts = getattr(built.graph, part)
    parts.append(parts[0])
    with pytest.raises(InputError, match=f"the {part} '{parts[0].name}' is there twice"):
        check_graph(built)


def test_a_graph_needs_inputs_and_outputs():
    built = model("output = Relu (w)", {"w": FLOATS})
    del built.graph.input[:]
    with pytest.raises(InputError, match="has no input that is not a constant"):
        check_graph(built)
    del built.graph.output[:]
    with pytest.raises(InputError, match="has no output"):
        check_graph(built)


def conditional(read: str, output: str = "y"):
    """A model whose branches read ``read`` from around them."""
    branches = [
        helper.make_graph(
            [helper.make_node(op, [read], [f"{op}_y"])], op, [], [helper.make_empty_tensor_value_info(f"{op}_y")]
        )
        for op in ("Relu", "Neg")
    ]
    nodes = [
        helper.make_node("If", ["input"], [output], then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Not", ["input"], ["other"]),
    ]
    value = helper.make_tensor_value_info
    return helper.make_model(
        helper.make_graph(
            nodes, "g", [value("input", TensorProto.BOOL, [])], [helper.make_empty_tensor_value_info(output)]
        )
    )


def test_graphs_inside_of_nodes_read_what_is_around_them():
    built = conditional("other")
    check_graph(built)
    assert [node.op_type for node in built.graph.node] == ["Not", "If"]
    with pytest.raises(InputError, match=r"node 0 \((Neg|Relu)\) reads the value 'nowhere'"):
        check_graph(conditional("nowhere"))
    with pytest.raises(InputError, match=r"cycle.*: node 0 \(If\)"):
        check_graph(conditional("y"))


@pytest.mark.parametrize("reverse", [False, True])
def test_twenty_thousand_nodes_take_a_moment(reverse):
    """No step is quadratic or recursive."""
    count = 20_000
    names = ["input", *(f"v{index}" for index in range(count - 1)), "output"]
    nodes = [helper.make_node("Relu", [x], [y], name="same") for x, y in itertools.pairwise(names)]
    built = model("output = Relu (input)")
    del built.graph.node[:]
    built.graph.node.extend(nodes[::-1] if reverse else nodes)
    begun = time.process_time()
    check_graph(built)
    assert time.process_time() - begun < 3
    assert built.graph.node[0].input[0] == "input" and built.graph.node[-1].output[0] == "output"
    built.graph.node[0].input[0] = "output"
    with pytest.raises(InputError, match=f"has a cycle.* and {count - 4} more"):
        check_graph(built)
