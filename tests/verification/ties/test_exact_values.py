"""Which values are exact: sums of signs are, what a scale follows has an exact sign, sums of floats are rounded."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from b2nn_tvm.verification.ties.exact_values import Exactness, Level, exact_values, of_constant
from tests.support.networks.onnx_networks import Network

SIGNS = "p = GreaterOrEqual (input, zero) s = Where (p, one, minus) "
CONSTANTS = {
    "zero": np.float32(0),
    "one": np.float32(1),
    "minus": np.float32(-1),
    "third": np.float32(1 / 3),
    "half": np.float32(0.5),
    "w": np.where(np.arange(144).reshape(4, 4, 3, 3) % 3 == 0, 1, -1).astype(np.float32),
    "v": (4, 4, 3, 3),
    "b": np.float32([1, -2, 3, 0]),
    "c": np.float32([0.1, 0, 0, 0]),
    "g": np.float32([1, 2, 3, 4]),
    "n": np.zeros(4, np.float32),
    "axes": np.array([1]),
}


def exactness(nodes: str, name: str = "y") -> Exactness:
    built = Network(f"{nodes} output = Identity ({name})", CONSTANTS).build()
    graph = onnx.shape_inference.infer_shapes(built).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in (*graph.input, *graph.value_info)
    }
    return exact_values(graph, values, shapes)[name]


@pytest.mark.parametrize(
    ("nodes", "level"),
    [
        ("y = Relu (input)", Level.EXACT),
        ("y = Add (input, input)", Level.ROUNDED),
        ("y = Add (input, zero)", Level.EXACT),
        ("y = Mul (input, third)", Level.SIGNED),
        ("y = Conv (input, w)", Level.ROUNDED),
        ("y = Conv (input, v)", Level.ROUNDED),
        (SIGNS + "y = Conv (s, w)", Level.EXACT),
        (SIGNS + "y = Conv (s, w, b)", Level.EXACT),
        (SIGNS + "y = Conv (s, w, c)", Level.ROUNDED),
        (SIGNS + "y = Conv (s, v)", Level.ROUNDED),
        (SIGNS + "a = Conv (s, w) y = Mul (a, third)", Level.SIGNED),
        (SIGNS + "a = Conv (s, w) y = Mul (a, half)", Level.EXACT),
        (SIGNS + "a = Conv (s, w) y = Div (a, half)", Level.EXACT),
        (SIGNS + "a = Conv (s, w) y = Div (a, third)", Level.SIGNED),
        (SIGNS + "a = Mul (s, third) y = Conv (a, w)", Level.ROUNDED),
        (SIGNS + "a = Conv (s, w) y = BatchNormalization (a, g, n, n, g)", Level.SIGNED),
        (SIGNS + "a = Conv (s, w) y = BatchNormalization (a, g, b, n, g)", Level.ROUNDED),
        (SIGNS + "y = Add (s, s)", Level.EXACT),
        (SIGNS + "a = Mul (s, third) y = Add (s, a)", Level.ROUNDED),
        (SIGNS + "y = GlobalAveragePool (s)", Level.SIGNED),
        (SIGNS + "y = ReduceSum (s, axes)", Level.EXACT),
        (SIGNS + "a = Transpose (s) b = MaxPool <kernel_shape = [2, 2]> (a) y = Relu (b)", Level.EXACT),
        (SIGNS + "a = Mul (input, third) y = Concat <axis = 1> (s, a)", Level.SIGNED),
        (SIGNS + "a = Sigmoid (input) y = Max (a, s)", Level.ROUNDED),
        ("a = Sigmoid (input) p = Greater (a, half) y = Where (p, third, one)", Level.EXACT),
        ("y = Exp (input)", Level.ROUNDED),
    ],
)
def test_levels(nodes, level):
    assert exactness(nodes).level == level


def test_sums_stay_exact_as_long_as_float32_has_their_integers():
    sums = exactness(SIGNS + "y = Conv (s, w)")
    assert sums.step == 1 and 36 <= sums.bound < 1000
    large = "a = Conv (s, w) b = Mul (a, a) c = Mul (b, b) y = Mul (c, c)"
    assert exactness(SIGNS + large).level == Level.SIGNED


def test_the_step_of_constants():
    assert of_constant(np.array([1.5, -2])) == Exactness(Level.EXACT, 0.5, 2.0)
    assert of_constant(np.zeros(3)).bound == 0
    assert of_constant(np.array([0.1])).step == 0
    assert of_constant(np.array([np.inf])) == Exactness(Level.EXACT)
    assert of_constant(np.array([3])) == Exactness(Level.EXACT, 1.0, 3.0)
