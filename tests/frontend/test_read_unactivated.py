import numpy as np
import onnx
import pytest

from b2nn_tvm.frontend.onnx_convolutions import static_graph
from b2nn_tvm.frontend.read_unactivated import read_unactivated
from tests.support.networks.onnx_models import model, onnxruntime_output, save

WEIGHTS = {name: np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4, 1, 1) for name in "wv"} | {
    "zero": np.float32(0),
    "minus": np.float32(-1),
}


def rewritten(nodes, *readers, **options):
    """The operators in front of the first reader, from its input upwards, and the new model."""
    built = static_graph(model(nodes, WEIGHTS, **options)).model
    read_unactivated(built.graph, readers)
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(built))
    return above(built, next(node for node in built.graph.node if node.name == readers[0])), built


def above(built, node):
    producers = {output: each for each in built.graph.node for output in each.output}
    found = []
    while node := producers.get(node.input[0]):
        found.append(node.op_type)
    return found


@pytest.mark.parametrize(
    "activation",
    [
        "Relu (input)",
        "Sigmoid (input)",
        "HardSwish (input)",
        "Softplus (input)",
        "Clip (input, zero)",
    ],
)
def test_activations_that_drop_the_sign_are_not_read(activation):
    found, _ = rewritten(f'a = {activation} ["c"] output = Conv (a, w)', "c")
    assert found == []


@pytest.mark.parametrize("activation", ["LeakyRelu (input)", "Tanh (input)", "Clip (input, minus)"])
def test_activations_that_keep_the_sign_stay(activation):
    found, _ = rewritten(f'a = {activation} ["c"] output = Conv (a, w)', "c")
    assert len(found) == 1


def test_swish_is_an_activation():
    assert rewritten('s = Sigmoid (input) a = Mul (input, s) ["c"] output = Conv (a, w)', "c")[0] == []


def test_other_readers_keep_the_activation():
    found, built = rewritten('a = Relu (input) ["c"] b = Conv (a, w) ["d"] e = Conv (a, v) output = Add (b, e)', "c")
    assert found == []
    assert above(built, next(node for node in built.graph.node if node.name == "d")) == ["Relu"]


def test_poolings_and_concatenations_between_are_copied():
    nodes = """a = Relu (input) p = AveragePool <kernel_shape = [2, 2]> (a) ["c"] b = Conv (p, w)
        ["d"] e = Conv (p, v) output = Add (b, e)"""
    found, built = rewritten(nodes, "c")
    assert found == ["AveragePool"]
    assert above(built, next(node for node in built.graph.node if node.name == "d")) == ["AveragePool", "Relu"]
    assert rewritten('a = Relu (input) j = Concat <axis = 2> (a, a) ["c"] output = Conv (j, w)', "c")[0] == ["Concat"]


def test_where_one_path_has_no_activation_nothing_changes():
    found, _ = rewritten('a = Relu (input) j = Concat <axis = 2> (a, input) ["c"] output = Conv (j, w)', "c")
    assert found == ["Concat", "Relu"]


def test_a_maximum_and_a_relu_change_places_which_is_exact(tmp_path):
    nodes = """a = Relu (input) p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a) ["c"] b = Conv (p, w)
        ["d"] e = Conv (p, v) output = Add (e, e)"""
    outputs = "float[N,C,H,W] output, float[N,C,H,W] b"
    found, built = rewritten(nodes, "c", outputs=outputs)
    assert found == ["MaxPool"]
    other = next(node for node in built.graph.node if node.name == "d")
    assert above(built, other) == ["Relu", "MaxPool"]
    assert sum(node.op_type == "MaxPool" for node in built.graph.node) == 1
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 5)).astype(np.float32)
    before = onnxruntime_output(save(tmp_path, model(nodes, WEIGHTS, outputs=outputs), "before.onnx"), x)
    np.testing.assert_array_equal(onnxruntime_output(save(tmp_path, built, "after.onnx"), x), before)


def test_a_relu_that_others_read_stays_in_front_of_its_pooling():
    nodes = """a = Relu (input) p = MaxPool <kernel_shape = [1, 1]> (a) ["c"] b = Conv (p, w)
        q = Add (a, p) output = Add (b, q)"""
    found, built = rewritten(nodes, "c")
    assert found == ["MaxPool"] and sum(node.op_type == "MaxPool" for node in built.graph.node) == 2
