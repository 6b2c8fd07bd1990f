"""All graphs, nodes and tensors of a model are found, however deep they stand."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.frontend.checks.walk_model import all_graphs, all_nodes, all_tensors, inner_graphs, nested_graphs


def branch(name: str, *nodes):
    constant = helper.make_node("Constant", [], [f"{name}_c"], value=numpy_helper.from_array(np.zeros(1), f"{name}_t"))
    return helper.make_graph([constant, *nodes], name, [], [helper.make_empty_tensor_value_info(f"{name}_c")])


def conditional(name: str, then, other):
    return helper.make_node("If", ["c"], [f"{name}_y"], name=name, then_branch=then, else_branch=other)


def test_graphs_in_graphs_and_in_functions():
    deep = conditional("inner", branch("t2"), branch("e2"))
    outer = conditional("outer", branch("t1", deep), branch("e1"))
    function = helper.make_function("f", "F", ["c"], [], [conditional("called", branch("t3"), branch("e3"))], [])
    inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    graph = helper.make_graph([outer], "main", inputs, [], [numpy_helper.from_array(np.zeros(2), "w")])
    model = helper.make_model(graph, functions=[function])
    assert {each.name for each in inner_graphs(model.graph.node[0])} == {"t1", "e1"}
    assert {each.name for each in nested_graphs(model.graph.node)} == {"t1", "e1", "t2", "e2"}
    assert {each.name for each in all_graphs(model)} == {"main", "t1", "e1", "t2", "e2", "t3", "e3"}
    assert sorted(node.op_type for node in all_nodes(model)) == ["Constant"] * 6 + ["If"] * 3
    assert {each.name for each in all_tensors(model)} == {"w", "t1_t", "e1_t", "t2_t", "e2_t", "t3_t", "e3_t"}
