import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.frontend.fold_constants import fold_constants
from tests.support.networks.onnx_models import model

SHAPES = {"input": (1, 4, 6, 5)}


def folded(nodes, constants=None, **kwargs):
    graph = fold_constants(model(nodes, constants, **kwargs), SHAPES).graph
    return [node.op_type for node in graph.node], {t.name: numpy_helper.to_array(t) for t in graph.initializer}


def test_arithmetic_on_shapes():
    nodes = """s = Shape (input) i = Constant <value_int = 1> () c = Gather (s, i) two = Constant <value_int = 2> ()
        half = Div (c, two) axis = Constant <value_ints = [0]> ()
        start = Unsqueeze (half, axis) end = Unsqueeze (c, axis)
        channels = Constant <value_ints = [1]> () output = Slice (input, start, end, channels)"""
    ops, constants = folded(nodes, inputs="float[n,4,h,w] input")
    assert ops == ["Slice"]
    assert (constants["start"], constants["end"]) == ([2], [4])


def test_open_shapes_of_values_in_the_file_do_not_stand_in_the_way():
    nodes = "r = Relu (input) s = Shape (r) output = Reshape (r, s)"
    built = model(nodes, inputs="float[n,4,h,w] input")
    built.graph.value_info.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, ["n", 4, "h", "w"]))
    graph = fold_constants(built, SHAPES).graph
    assert [node.op_type for node in graph.node] == ["Relu", "Reshape"]


def test_a_shape_behind_a_folded_reshape_is_known_in_the_next_round():
    nodes = """s = Shape <start = 1> (input) p = ReduceProd <keepdims = 1> (s) minus = Neg (p)
        k = Abs (minus) r = Reshape (input, k)
        t = Shape (r) m = Cast <to = 1> (t) output = Mul (r, m)"""
    ops, constants = folded(nodes, outputs="float[n] output")
    assert ops == ["Reshape", "Mul"]
    assert constants["m"] == [120]


def test_what_depends_on_a_shape_alone():
    nodes = "f = Flatten (input) e = EyeLike <dtype = 1, k = 2> (f) output = Add (f, e)"
    ops, constants = folded(nodes, outputs="float[n,k] output")
    assert ops == ["Flatten", "Add"]
    np.testing.assert_array_equal(constants["e"], np.eye(1, 120, 2, np.float32))


def test_latent_weights():
    latent = np.array([0.5, -0.25, 0, -1], np.float32).reshape(1, 4, 1, 1)
    nodes = """zero = Constant <value_float = 0.0> () one = Constant <value_float = 1.0> ()
        m = Constant <value_float = -1.0> ()
        k = GreaterOrEqual (latent, zero) w = Where (k, one, m) output = Conv (input, w)"""
    ops, constants = folded(nodes, {"latent": latent})
    assert ops == ["Conv"]
    np.testing.assert_array_equal(constants["w"].reshape(-1), [1, -1, 1, -1])


def test_a_constant_output_and_operators_without_inputs():
    ops, constants = folded("a = Constant <value_floats = [1.0, 2.0]> () output = Exp (a)", outputs="float[2] output")
    assert ops == []
    np.testing.assert_allclose(constants["output"], np.exp([1, 2]), rtol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "ops"),
    [
        ("r = RandomNormal <shape = [4, 1, 1]> () output = Add (input, r)", ["RandomNormal", "Add"]),
        ("k = b2nn.Unknown (bias) output = Add (input, k)", ["Unknown", "Add"]),
        ("k = Reshape (bias, wrong) output = Add (input, k)", ["Reshape", "Add"]),
        ("output = Relu (input)", ["Relu"]),
    ],
)
def test_what_cannot_be_known_stays(nodes, ops):
    constants = {"bias": np.ones((4, 1, 1), np.float32), "wrong": np.array([7])}
    used = {name: value for name, value in constants.items() if name in nodes}
    assert folded(nodes, used)[0] == ops


def test_branches_on_data_stay():
    nodes = """m = ReduceMax <keepdims = 0> (input) b = Cast <to = 9> (m)
        output = If (b) <then_branch = t () => (float[1,4,6,5] y)
        { y = Relu (input) }, else_branch = e () => (float[1,4,6,5] y) { y = Neg (input) }>"""
    assert folded(nodes)[0] == ["ReduceMax", "Cast", "If"]


def test_nodes_and_constants_that_nothing_reads_are_dropped():
    ops, constants = folded("a = Exp (input) b = Add (a, w) output = Relu (input)", {"w": np.float32(1)})
    assert (ops, constants) == (["Relu"], {})


def test_constants_among_the_inputs_are_no_inputs():
    built = model("output = Conv (input, w)", {"w": np.ones((3, 4, 1, 1), np.float32)})
    built.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 4, 1, 1]))
    assert [value.name for value in fold_constants(built, SHAPES).graph.input] == ["input"]


def test_an_initializer_that_is_also_an_input_may_be_given_another_value():
    built = model("output = Neg (input)", {"input": np.zeros((1, 4, 6, 5), np.float32)})
    assert [node.op_type for node in fold_constants(built, SHAPES).graph.node] == ["Neg"]
