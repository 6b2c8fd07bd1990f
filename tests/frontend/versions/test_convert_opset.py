"""A converted file computes what onnxruntime computes from the file as it was."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.versions.convert_opset import OPSET, convert_opset, opset_of
from tests.support.networks.onnx_models import model, save

CHANNELS = np.array([1, -2, 3, 0.5], np.float32)
SIZES = np.array([2, 3], np.int64)


def run(built: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(built.SerializeToString(), options).run(None, {"input": x})


def image(shape=(1, 4, 6, 5)) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def assert_same(before: onnx.ModelProto, x: np.ndarray, tolerance: float = 1e-6) -> onnx.ModelProto:
    """Convert a copy, and compare both in onnxruntime; returns the copy."""
    after = onnx.ModelProto.FromString(before.SerializeToString())
    convert_opset(after)
    onnx.checker.check_model(after)
    assert opset_of(after) == OPSET
    for got, expected in zip(run(after, x), run(before, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
        assert got.dtype == expected.dtype
    return after


# (nodes, the first and the last opset in which they have this form)
FORMS = (
    ("output = Slice <starts = [1, -4], ends = [3, 99], axes = [1, 2]> (input)", 7, 9),
    ("output = Slice <starts = [0, 1], ends = [1, 3]> (input)", 7, 9),
    ("output = Clip <min = -0.5, max = 0.25> (input)", 7, 10),
    ("output = Clip <max = 0.25> (input)", 7, 10),
    ("output = Clip <min = 0.0> (input)", 7, 10),
    ("output = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 0], value = 2.5> (input)", 7, 10),
    ('output = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 0], mode = "reflect"> (input)', 7, 10),
    ("output = Dropout <ratio = 0.3> (input)", 7, 11),
    ("output = Dropout (input)", 7, 13),
    ("u = Unsqueeze <axes = [0, 3]> (input) output = Squeeze <axes = [0, 3]> (u)", 7, 12),
    ("output = ReduceSum <axes = [1, 3], keepdims = 0> (input)", 7, 12),
    ("output = ReduceMean <axes = [2, 3]> (input)", 7, 17),
    ("output = ReduceMax (input)", 7, 17),
    ("output = ReduceLogSumExp <axes = [1]> (input)", 7, 17),
    ("output = Softmax (input)", 7, 12),
    ("output = Softmax <axis = 3> (input)", 7, 12),
    ("output = LogSoftmax <axis = 2> (input)", 7, 12),
    ("f = Flatten (input) output = Softmax (f)", 7, 12),
    ("output = Hardmax <axis = 2> (input)", 7, 12),
    ('output = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 3.0]> (input)', 7, 8),
    ('output = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (input)', 7, 8),
    ("a, b = Split <axis = 1, split = [1, 3]> (input) output = Concat <axis = 1> (b, a)", 7, 12),
    ("a, b = Split <axis = 1> (input) output = Concat <axis = 1> (b, a)", 7, 12),
    ("output, indices = TopK <axis = 2, k = 2> (input)", 7, 9),
    ("output = PRelu (input, slope)", 7, 17),
    ("n = BatchNormalization <epsilon = 0.01> (input, c, c, c, p) output = Relu (n)", 7, 17),
    ("output = MaxPool <kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1]> (input)", 7, 17),
    ("output = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], count_include_pad = 1> (input)", 7, 17),
    ("output = Cast <to = 7> (input)", 7, 17),
)


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        (nodes, opset)
        for nodes, first, last in FORMS
        for opset in (7, 8, 9, 10, 11, 12, 13, 17)
        if first <= opset <= last
    ],
)
def test_operators_of_old_opsets(nodes, opset):
    constants = {"slope": CHANNELS.reshape(4, 1, 1), "c": CHANNELS, "p": np.abs(CHANNELS)}
    used = {name: value for name, value in constants.items() if f"{name}," in nodes or f"{name})" in nodes}
    outputs = "int64[N,C,H,W] output" if "Cast" in nodes else "float output"
    before = model(nodes, used, opset=opset, outputs=outputs)
    assert_same(before, image())


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        ('output = Upsample <mode = "nearest"> (input, scales)', 9),
        ('output = Upsample <mode = "linear"> (input, scales)', 9),
        ('output = Resize <mode = "nearest"> (input, scales)', 10),
        ('output = Resize <mode = "linear"> (input, scales)', 10),
    ],
)
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 1.5, 2.5)])
def test_pixels_stay_where_old_resizes_put_them(nodes, opset, scales):
    before = model(nodes, {"scales": np.array(scales, np.float32)}, opset=opset, outputs="float output")
    assert_same(before, image())


def test_bounds_have_the_type_of_what_they_bound():
    nodes = "half = Cast <to = 10> (input) c = Clip <min = -0.5> (half) output = Cast <to = 1> (c)"
    assert_same(model(nodes, opset=10), image(), tolerance=1e-3)  # onnxruntime leaves out roundings to float16


@pytest.mark.parametrize(
    ("nodes", "b"),
    [
        ("output = Add <axis = 1, broadcast = 1> (input, b)", CHANNELS),
        ("output = Mul <broadcast = 1> (input, b)", image((6, 5))),
        ("output = Sub <axis = 0, broadcast = 1> (input, b)", image((1, 4))),
        ("output = Div <axis = 2, broadcast = 1> (input, b)", image((6,))),
        ("output = PRelu (input, b)", CHANNELS),
    ],
)
def test_broadcast_along_an_axis(nodes, b):
    """onnxruntime no longer runs these opsets, so numpy says what they compute."""
    built = model(nodes, {"b": b}, opset=6, outputs="float output")
    x = image()
    places = {"PRelu": 1, "Add": 1, "Sub": 0, "Div": 2, "Mul": 2}
    word = nodes.split()[2]
    shape = [1] * places[word] + list(b.shape)
    full = b.reshape(shape + [1] * (4 - len(shape)))
    compute = {"Add": np.add, "Mul": np.multiply, "Sub": np.subtract, "Div": np.divide}
    expected = np.where(x >= 0, x, x * full) if word == "PRelu" else compute[word](x, full)
    convert_opset(built)
    np.testing.assert_allclose(run(built, x)[0], expected, rtol=1e-6)


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
    x = image()
    flat = np.maximum(x, 0).reshape(1, -1).astype(np.float64)
    np.testing.assert_array_equal(run(built, x)[0], np.concatenate([flat, flat], axis=1))


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


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ("output = BatchNormalization <spatial = 0> (input, c, c, c, c)", "its attribute spatial is 0"),
        (
            "output, m, v, a, b = BatchNormalization (input, c, c, c, c)",
            r"batch norm in training mode; .*model.eval\(\)",
        ),
        ('output = Upsample <mode = "nearest"> (input)', "it has no scales"),
    ],
)
def test_forms_without_a_later_one_are_refused(nodes, text):
    built = model(nodes, {"c": CHANNELS}, opset=8)
    with pytest.raises(B2nnError, match=f"(?s)node .* of opset 8: {text}"):
        convert_opset(built)


def test_a_file_of_opset_9_compiles(tmp_path):
    """The whole way, with initializers that are inputs as well, as files of IR version 3 have them."""
    from b2nn_tvm import compile_model

    nodes = """c = Conv <pads = [1, 1, 1, 1]> (input, w) s = Slice <starts = [0], ends = [2], axes = [1]> (c)
        u = Upsample <mode = "nearest"> (s, scales) output = Clip <min = 0.0> (u)"""
    constants = {"w": image((3, 4, 3, 3)), "scales": np.array([1, 1, 2, 2], np.float32)}
    built = model(nodes, constants, opset=9)
    built.ir_version = 3
    for tensor in built.graph.initializer:
        built.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        assert [spec.shape for spec in artifact.outputs] == [(1, 2, 12, 10)]
