"""Old files as a whole: forms of the first opsets, names, other domains, bodies of branches, a library in the end."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm import compile_model
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.functions.own_opsets import opset_of
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.versions.convert_opset import OPSET, convert_opset
from tests.support.networks.onnx_models import model, save
from tests.support.networks.same_results import image, run


def test_forms_of_the_first_opsets():
    nodes = [
        helper.make_node("Relu", ["input"], ["r"], consumed_inputs=[0]),
        helper.make_node("Reshape", ["r"], ["flat"], shape=[1, -1], consumed_inputs=[0]),
        helper.make_node("Cast", ["flat"], ["double"], to="DOUBLE"),
        helper.make_node("Concat", ["double", "double"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 4, 6, 5])],
        [helper.make_tensor_value_info("output", TensorProto.DOUBLE, None)],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 3)], ir_version=3)
    convert_opset(built)
    assert opset_of(built) == OPSET
    x = image()
    flat = np.maximum(x, 0).reshape(1, -1).astype(np.float64)
    np.testing.assert_array_equal(run(built, x)[0], np.concatenate([flat, flat], axis=1))


def test_broadcasts_behind_batch_norms_of_the_first_opsets():
    """onnx infers no shape behind them, which tells along which axes the inputs of an Add lie."""
    constants = {name: np.arange(1, 5, dtype=np.float32) for name in "sbmv"} | {"w": image((4, 4, 1, 1), 1)}
    nodes = """n = BatchNormalization <is_test = 1, consumed_inputs = [0, 0, 0, 1, 1]> (input, s, b, m, v)
        c = Conv (n, w) a = Add <axis = 1, broadcast = 1> (c, b) r = Reshape <shape = [0, 4, -1]> (a)
        output = Mul <axis = 1, broadcast = 1> (r, s)"""
    built = model(nodes, constants, opset=3, outputs="float output")
    convert_opset(built)
    newer = (
        """n = BatchNormalization (input, s, b, m, v) c = Conv (n, w, b) r = Reshape (c, shape) output = Mul (r, t)"""
    )
    constants |= {"shape": np.array([0, 4, -1]), "t": constants["s"][:, None]}
    expected = run(model(newer, constants, outputs="float output"), image())[0]
    np.testing.assert_allclose(run(built, image())[0], expected, rtol=1e-5, atol=1e-6)


def test_names_metadata_and_nodes_of_other_domains_survive():
    nodes = """s = Slice <starts = [0], ends = [2], axes = [1]> (input)
        output = qonnx.custom_op.general.BipolarQuant (s, scale)"""
    built = model(nodes, {"scale": np.float32(1)}, opset=9)
    built.graph.node[1].name = "stem.act"
    built.graph.node[1].metadata_props.add(key="k", value="v")
    convert_opset(built)
    last = built.graph.node[-1]
    assert (last.op_type, last.domain, last.name) == ("BipolarQuant", "qonnx.custom_op.general", "stem.act")
    assert last.metadata_props[0].value == "v"
    assert {(each.domain, each.version) for each in built.opset_import} >= {("", 18), ("qonnx.custom_op.general", 1)}


def test_arithmetic_of_another_domain_is_left_alone():
    nodes = "s = Slice <starts = [0], ends = [2], axes = [1]> (input) output = own.Add <axis = 1> (s, scale)"
    built = model(nodes, {"scale": np.float32(1)}, opset=5)
    convert_opset(built)
    assert [(each.op_type, each.domain) for each in built.graph.node][-1] == ("Add", "own")


def test_bodies_of_branches_are_converted():
    body = model("output = Unsqueeze <axes = [0]> (input)", opset=11).graph
    branch = helper.make_graph(body.node, "b", [], [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)])
    node = helper.make_node("If", ["k"], ["y"], then_branch=branch, else_branch=branch)
    built = model("k = Constant <value = bool {1}> () output = Identity (input)", opset=11)
    built.graph.node.append(node)
    convert_opset(built)
    inside = built.graph.node[-1].attribute[0].g
    assert [each.op_type for each in inside.node] == ["Constant", "Unsqueeze"]
    assert not inside.node[-1].attribute


def test_newer_files_are_left_alone():
    built = model("output = Relu (input)", opset=21)
    before = built.SerializeToString()
    convert_opset(built)
    assert built.SerializeToString() == before


def test_a_file_of_opset_9_compiles(tmp_path):
    """The whole way, with initializers that are inputs as well, as files of IR version 3 have them."""
    nodes = """c = Conv <pads = [1, 1, 1, 1]> (input, w) s = Slice <starts = [0], ends = [2], axes = [1]> (c)
        u = Upsample <mode = "nearest"> (s, scales) output = Clip <min = 0.0> (u)"""
    constants = {"w": image((3, 4, 3, 3)), "scales": np.array([1, 1, 2, 2], np.float32)}
    built = model(nodes, constants, opset=9)
    built.ir_version = 3
    for tensor in built.graph.initializer:
        built.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        assert [spec.shape for spec in artifact.outputs] == [(1, 2, 12, 10)]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _with_function(opset: int, own: int, body: str) -> onnx.ModelProto:
    """A model of the opset, and a function that is of its own one."""
    function = f'<domain: "b2nn", opset_import: ["" : {own}]> F (x) => (y) {{ {body} }}'
    return model("output = b2nn.F (input)", opset=opset, functions=function, outputs="float output")


@pytest.mark.parametrize(
    ("opset", "own", "body", "expected"),
    [
        (18, 11, "y = ReduceMean <axes = [2, 3]> (x)", lambda x: x.mean((2, 3), keepdims=True)),
        (13, 11, "y = Softmax (x)", lambda x: softmax(x.reshape(1, -1)).reshape(x.shape)),  # over all but the batch
        (11, 13, "y = Softmax (x)", softmax),
        (17, 20, "t = Constant <value_ints = [0]> () y = ReduceMax <keepdims = 0> (x, t)", lambda x: x.max(0)),
    ],
)
def test_functions_of_other_opsets_mean_what_they_say(tmp_path, opset, own, body, expected):
    built = load_model(save(tmp_path, _with_function(opset, own, body)))
    assert opset_of(built) == max(OPSET, opset, own)
    assert not any(node.metadata_props for node in built.graph.node)
    np.testing.assert_allclose(run(built, image())[0], expected(image()), rtol=1e-5, atol=1e-6)


def test_nodes_beside_those_of_an_opset_in_which_they_mean_another_thing_are_refused(tmp_path):
    built = _with_function(18, 21, "y = Relu (x)")
    built.graph.node[0].input[0] = "n"
    normal = helper.make_node("GroupNormalization", ["input", "s", "s"], ["n"], num_groups=2)
    built.graph.node.insert(0, normal)
    built.graph.initializer.append(numpy_helper.from_array(np.ones(2, np.float32), "s"))
    with pytest.raises(UnsupportedError, match="GroupNormalization.*opset 21"):
        load_model(save(tmp_path, built))
