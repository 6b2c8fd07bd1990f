"""What integers mean, by the nodes that read them."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.input_uses import Use, input_uses
from tests.support.networks.onnx_networks import Network

UINT8, INT32 = np.iinfo(np.uint8), np.iinfo(np.int32)


def use(nodes: str, inputs: str = "int32[2,3] x", **constants) -> Use:
    return input_uses(Network(nodes, constants, inputs, "float[A,B] output").build())["x"]


@pytest.mark.parametrize(
    ("nodes", "size"),
    [
        ("output = Gather (t, x)", 5),
        ("output = Gather <axis = -1> (t, x)", 7),
        ("output = GatherElements <axis = 1> (t, x)", 7),
        ("output = GatherND (t, x)", 5),
        ("a = Cast <to = 7> (x) b = Transpose (a) c = Reshape (b, s) output = Gather (t, c)", 5),
        ("a = Gather (t, x) output = Gather <axis = 1> (t, x)", 5),
        ("output = OneHot (x, n, v)", 4),
    ],
)
def test_indices_stay_within_the_axis_that_they_count_along(nodes, size):
    found = use(nodes, t=np.zeros((5, 7), np.float32), s=np.array([-1]), n=np.array(4), v=np.zeros(2, np.float32))
    assert found == Use(-size, size - 1)


def test_without_a_shape_only_the_first_index_is_sure():
    inputs = "int32[2,3] x, float[N,M] y"
    assert use("output = Gather (y, x)", inputs) == Use(-1, 0)


@pytest.mark.parametrize("op", ["Div", "Mod"])
def test_a_divisor_is_not_zero(op):
    assert use(f"output = {op} (c, x)", c=np.ones((2, 3), np.int32)).nonzero
    assert not use(f"output = {op} (x, c)", c=np.ones((2, 3), np.int32)).nonzero


def test_pixels_have_all_values():
    assert use("output = Cast <to = 1> (x)", "uint8[2,3] x") == Use(UINT8.min, UINT8.max)
    assert use("output = Add (x, x)", "uint8[2,3] x") == Use(UINT8.min, UINT8.max)


def test_integers_that_are_only_converted_or_compared_may_be_of_any_size():
    found = use("a = Cast <to = 1> (x) b = Greater (x, c) output = Identity (a)", c=np.array(3, np.int32))
    assert found == Use(INT32.min, INT32.max, known=False)


def test_integers_of_which_nothing_is_known_are_small():
    found = use("a = Mul (x, x) output = Cast <to = 1> (a)")
    assert not found.known and -100 < found.low < 0 < found.high < 100
    assert use("a = Mul (x, x) output = Cast <to = 1> (a)", "uint16[2,3] x").low == 0


def test_floats_and_weights_have_no_use():
    assert input_uses(Network("output = Relu (input)").build()) == {}
    built = Network("output = Gather (t, i)", {"i": np.array([1]), "t": (3, 2)}, "float[1] x").build()
    built.graph.input.append(built.graph.input[0].__class__(name="i", type=built.graph.input[0].type))
    assert input_uses(built) == {}
