"""A network for one image is compiled for several: each of them gives what it gives alone."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.batch.follow_batch import follow_batch
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

RNG = np.random.default_rng(0)
W = {"w": (8, 3, 3, 3), "d": RNG.standard_normal((288, 5)).astype(np.float32), "fixed": np.array([1, 288])}
FLAT = "c = Conv (input, w) r = Relu (c) f = Reshape (r, fixed) output = MatMul (f, d)"
OPEN, ONE, TWO = "float[N,3,8,8] input", "float[1,3,8,8] input", "float[2,3,8,8] input"

ATTENTION = """
    a = Reshape (input, s) t = Transpose <perm = [0, 2, 1]> (a) q = MatMul (t, a) p = Softmax <axis = -1> (q)
    b = Add (a, x) m = MatMul (b, p) output = Reshape (m, back)
"""
WITH_AXES = """
    m = ReduceMean <keepdims = 0> (input, axes) u = Unsqueeze (m, one) p = Pad (u, pads) s = Slice (p, a, b, one)
    g = Squeeze (s, one) h = Gather <axis = 1> (g, rows) o = Gemm <transB = 1> (h, d) output = Concat <axis = 1> (o, h)
"""

FOLLOWED = {
    "a Reshape to the batch": (FLAT, W, OPEN),
    "in a file for one image": (FLAT, W, ONE),
    "with a size that is left": (FLAT, {**W, "fixed": np.array([1, -1])}, ONE),
    "that copies the batch": (FLAT, {**W, "fixed": np.array([0, -1])}, ONE),
    "in a file for two images": (FLAT, {**W, "fixed": np.array([2, 288])}, TWO),
    "no size at all": ("c = Conv (input, w) output = Flatten (c)", W, ONE),
    "a shuffle of channels": (
        "a = Reshape (input, s) b = Transpose <perm = [0, 2, 1, 3, 4]> (a) output = Reshape (b, t)",
        {"s": np.array([1, 3, 2, 4, 8]), "t": np.array([1, 6, 4, 8])},
        "float[1,6,4,8] input",
    ),
    "sizes of a Resize": ('output = Resize <mode = "nearest"> (input, , , s)', {"s": np.array([1, 3, 16, 12])}, ONE),
    "attention over pixels": (
        ATTENTION,
        {"s": np.array([1, 3, 64]), "back": np.array([1, 3, 8, 8]), "x": (1, 3, 64)},
        ONE,
    ),
    "reductions and axes": (
        WITH_AXES,
        {
            "axes": np.array([2, -1]),
            "one": np.array([1]),
            "pads": np.array([0, 1, 0, 0, 0, 2]),
            "a": np.array([1]),
            "b": np.array([2]),
            "rows": np.array([2, 0]),
            "d": (4, 2),
        },
        ONE,
    ),
}


def build(nodes, constants, inputs):
    model = Network(nodes, constants, inputs).build()
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type.lower()}{index}"
    return model


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": x})[0]


@pytest.mark.parametrize("name", FOLLOWED)
def test_each_image_gives_what_it_gives_alone(tmp_path, name):
    path = save(tmp_path, build(*FOLLOWED[name]))
    model = load_model(path)
    old = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    sizes = tuple(dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:])
    assert follow_batch(model, {"input": (6, *sizes)})
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    x = RNG.standard_normal((6, *sizes)).astype(np.float32)
    alone = np.concatenate([run(load_model(path), x[place : place + old]) for place in range(0, 6, old)])
    np.testing.assert_allclose(run(model, x), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "constants", "guilty"),
    [
        ("output = Softmax <axis = 0> (input)", {}, r"softmax0' \(Softmax"),
        ("output = ReduceMean (input, axes)", {"axes": np.array([0])}, r"reducemean0' \(ReduceMean"),
        ("output = ReduceSum (input)", {}, r"reducesum0' \(ReduceSum"),
        ("a = Relu (input) output = Transpose <perm = [1, 0, 2, 3]> (a)", {}, r"transpose1' \(Transpose"),
        ("a = Relu (input) output = Reshape (a, s)", {"s": np.array([-1])}, r"reshape1' \(Reshape"),
        ("a = Reshape (input, s) output = Relu (a)", {"s": np.array([3, 64])}, r"reshape0' \(Reshape"),
        ("a = Squeeze (input, zero) output = Relu (a)", {"zero": np.array([0])}, r"squeeze0' \(Squeeze"),
        (
            "output = Slice (input, a, b, zero)",
            {"a": np.array([0]), "b": np.array([1]), "zero": np.array([0])},
            "Slice",
        ),
        ("output = Pad (input, p)", {"p": np.array([1, 0, 0, 0, -1, 0, 0, 0])}, r"pad0' \(Pad"),
        (
            "a = Reshape (input, s) t = Transpose <perm = [1, 0]> (a) output = MatMul (a, t)",
            {"s": np.array([1, 192])},
            "T",
        ),
        ("output = CumSum (input, axis)", {"axis": np.array(0)}, r"cumsum0' \(CumSum"),
        ("output = Concat <axis = 0> (input, input)", {}, r"concat0' \(Concat"),
        ("a = Flatten (input) output = Concat <axis = 1> (a, one)", {"one": np.ones((1, 4), np.float32)}, "Concat"),
    ],
)
def test_where_images_might_be_mixed_the_node_is_named(tmp_path, nodes, constants, guilty):
    model = load_model(save(tmp_path, build(nodes, constants, ONE)))
    before = model.SerializeToString()
    with pytest.raises(InputError, match=f"batch of the file is 1, and .* make it 4, but at node '.*{guilty}.*mixed"):
        follow_batch(model, {"input": (4, 3, 8, 8)})
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("nodes", "constants", "inputs", "given"),
    [
        (FLAT, W, OPEN, None),
        (FLAT, W, OPEN, {}),
        (FLAT, W, OPEN, {"input": (1, 3, 8, 8)}),
        (FLAT, W, ONE, {"input": (1, 3, 8, 8)}),
        (FLAT, W, ONE, {"input": (4, 3, 9, 9)}),  # more than the batch: refused as a wrong shape
        (FLAT, W, ONE, {"input": (4, 3)}),
        (FLAT, W, ONE, {"input": (-4, 3, 8, 8)}),
        (FLAT, W, ONE, {"input": (2**62, 3, 8, 8)}),
        (FLAT, W, ONE, {"other": (4, 3, 8, 8)}),
        (FLAT, {**W, "fixed": np.array([-1, 288])}, OPEN, {"input": (4, 3, 8, 8)}),
        ("output = Softmax <axis = 0> (input)", {}, OPEN, {"input": (4, 3, 8, 8)}),  # what an open batch means here
    ],
)
def test_what_stays_as_it_is(tmp_path, nodes, constants, inputs, given):
    model = load_model(save(tmp_path, build(nodes, constants, inputs)))
    before = model.SerializeToString()
    assert not follow_batch(model, given)
    assert model.SerializeToString() == before


def test_an_input_of_the_same_batch_follows_and_one_without_images_does_not(tmp_path):
    nodes = "s = Add (input, other) t = Mul (s, scale) output = Reshape (t, to)"
    path = save(
        tmp_path, build(nodes, {"to": np.array([1, 4])}, "float[N,2,2] input, float[N,2,2] other, float[1] scale")
    )
    model = load_model(path)
    assert follow_batch(model, {"input": (3, 2, 2)})
    batches = [value.type.tensor_type.shape.dim[0].dim_value for value in model.graph.input]
    assert batches == [3, 3, 1]


def test_a_shape_without_a_name_is_that_of_the_only_input(tmp_path):
    model = load_model(save(tmp_path, build(FLAT, W, ONE)))
    assert follow_batch(model, {"": (4, 3, 8, 8)})
