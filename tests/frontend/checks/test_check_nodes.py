"""Nodes that do not fit the definition of their operator are named."""

from __future__ import annotations

import pytest
from onnx import AttributeProto, helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_nodes import check_nodes
from tests.support.networks.imported import name_nodes
from tests.support.networks.onnx_models import model
from tests.support.networks.onnx_networks import NETWORKS, constant


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_fit(name):
    check_nodes(NETWORKS[name].build())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda node: node.input.extend("bc"), r"node 'one' \(Concat\) .* attribute axis of type FLOAT, not INT"),
        (lambda node: node.ClearField("input"), "has 0 inputs, but the operator has 1 or more"),
        (lambda node: node.ClearField("output"), "has 0 outputs, but the operator has 1; the file is damaged"),
        (lambda node: node.output.append("more"), "has 2 outputs, but the operator has 1;"),
        (lambda node: node.ClearField("attribute"), "lacks its attribute axis"),
        (lambda node: node.attribute.append(node.attribute[0]), "has its attribute 'axis' twice"),
    ],
)
def test_what_does_not_fit(change, text):
    built = name_nodes(model("output = Concat <axis = 1> (input, input)"), "one")
    node = built.graph.node[0]
    if "FLOAT" in text:
        node.attribute[0].CopyFrom(helper.make_attribute("axis", 0.5))
    change(node)
    with pytest.raises(InputError, match=text):
        check_nodes(built)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ("strides = [-1, -1]", "has strides of -1, but it has to be 1 or more"),
        ("dilations = [1, 0]", "has dilations of 0"),
        ("kernel_shape = [3, -3]", "has kernel_shape of -3"),
        ("group = 0", "has group of 0"),
    ],
)
def test_counts_are_positive(attributes, text):
    with pytest.raises(InputError, match=text):
        check_nodes(model(f"output = Conv <{attributes}> (input, w)", {"w": constant("w", (4, 4, 3, 3))}))
    with pytest.raises(InputError, match="has blocksize of -2"):
        check_nodes(model("output = DepthToSpace <blocksize = -2> (input)"))
    with pytest.raises(InputError, match="has keepdims of 2147483648, but it has to be 0 or 1"):
        check_nodes(model("output = ReduceMean <keepdims = 2147483648> (input)"))


def test_two_opsets_of_one_domain():
    built = model("output = Relu (input)")
    built.opset_import.add(domain="ai.onnx", version=built.opset_import[0].version)
    check_nodes(built)
    built.opset_import.add(domain="", version=3)
    with pytest.raises(InputError, match="the file has several opsets of ONNX's own operators, 18, 3; the file is dam"):
        check_nodes(built)


@pytest.mark.parametrize("opset", [-1, 1000, 2**62])
def test_opsets_that_cannot_be(opset):
    built = model("output = Relu (input)")
    built.opset_import[0].version = opset
    with pytest.raises(InputError, match=f"the file has opset {opset}, which does not exist"):
        check_nodes(built)


def test_a_split_into_more_parts_than_it_has():
    """onnx's shape inference makes room for as many shapes: 16 GiB for 2^31 of them."""
    check_nodes(model("a, output = Split <axis = 1, num_outputs = 2> (input)"))
    with pytest.raises(InputError, match=r"node 0 \(Split\) has 2 outputs, but num_outputs=2147483647"):
        check_nodes(model("a, output = Split <axis = 1, num_outputs = 2147483647> (input)"))


def test_counts_with_a_range():
    built = model("output = Conv (input)")
    with pytest.raises(InputError, match=r"node 0 \(Conv\) has 1 inputs, but the operator has 2 to 3"):
        check_nodes(built)


def test_old_files_leave_the_type_of_an_attribute_out():
    built = model("output = Concat <axis = 1> (input, input)")
    built.graph.node[0].attribute[0].type = AttributeProto.UNDEFINED
    check_nodes(built)


def test_what_onnx_does_not_define_is_left_to_the_importer():
    check_nodes(model("output = b2nn.Relu (input, input, input)"))
    check_nodes(model("output = Mystery (input, input, input)"))
    check_nodes(model("output = Gelu (input, input)", opset=18))  # defined from opset 20 on
    with pytest.raises(InputError, match="has 2 inputs, but the operator has 1"):
        check_nodes(model("output = Gelu (input, input)", opset=20))
