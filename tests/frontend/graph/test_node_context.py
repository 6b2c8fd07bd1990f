from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.frontend.graph.node_context import NodeContext


def context(node, taken=()):
    types = {"x": helper.make_tensor_type_proto(TensorProto.FLOAT16, [2, 3]).tensor_type}
    return NodeContext(node, types, {*node.input, *node.output, *taken})


def test_attributes_are_taken_away():
    found = context(helper.make_node("Slice", ["x"], ["y"], starts=[1], axes=[0]))
    assert found.get("starts") == [1]
    assert found.take("starts") == [1]
    assert found.take("starts", "none") == "none"
    assert [each.name for each in found.node.attribute] == ["axes"]


def test_types_are_known_where_inference_found_them():
    found = context(helper.make_node("Relu", ["x"], ["y"]))
    assert (found.rank("x"), found.rank("z")) == (2, None)
    assert (found.dtype("x"), found.dtype("z")) == (np.float16, np.float32)


def test_new_names_collide_with_nothing():
    found = context(helper.make_node("Relu", ["x"], ["y"]), taken=["y/axes"])
    assert found.constant("axes", np.arange(2)) == "y/axes2"
    np.testing.assert_array_equal(numpy_helper.to_array(found.before[0].attribute[0].t), [0, 1])


def test_inputs_in_between_stay_left_out():
    found = context(helper.make_node("Clip", ["x"], ["y"]))
    found.set_input(2, "max")
    assert list(found.node.input) == ["x", "", "max"]


def test_the_layer_keeps_its_name_in_the_node_that_computes_it():
    found = context(helper.make_node("QLinearConv", ["x"], ["y"], name="stem.conv"))
    sums = found.put_layer("Conv", ["x", "w"], group=1)
    found.become("Cast", [sums], to=TensorProto.UINT8)
    assert (found.before[0].name, found.before[0].op_type) == ("stem.conv", "Conv")
    assert (found.node.op_type, list(found.node.input), found.node.name) == ("Cast", [sums], sums)
