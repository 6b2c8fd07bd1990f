"""What binary layers read is found through what moves and scales it."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.binary_inputs import binary_inputs, has_bits
from b2nn_tvm.relax_query import calls, op_name
from tests.support.passes.relax_functions import SHAPE, const, module, random_signs

SIGNS = random_signs((4, 4, 3, 3))
FLOATS = np.random.default_rng(0).standard_normal((4, 4, 3, 3))


def read(body, *shapes):
    """The operators whose results binary layers read."""
    mod = module(body, *shapes)
    found = binary_inputs(mod)
    return [op_name(call).removeprefix("relax.") for var, call in calls(mod["main"]) if var in found]


def test_moved_and_scaled():
    def body(x):
        signs = op.multiply(op.sign(op.nn.relu(x)), const(0.5))
        return op.nn.conv2d(
            op.concat([op.split(signs, 2, axis=1)[1], op.nn.softmax(signs)], axis=1), const(SIGNS[:, [0] * 6])
        )

    assert read(body) == ["nn.relu", "sign", "multiply", "split", "nn.softmax", "concat"]


@pytest.mark.parametrize("weight", [FLOATS, 0.5 * SIGNS])
def test_weights_decide(weight):
    expected = [] if weight is FLOATS else ["sign"]
    assert read(lambda x: op.nn.conv2d(op.sign(x), const(weight))) == expected


def test_sums_of_two_tensors_end_the_way():
    assert read(lambda x, y: op.nn.conv2d(op.add(op.sign(x), y), const(SIGNS)), SHAPE, SHAPE) == ["add"]


def test_layers_with_bits():
    layers = {
        "dense": (lambda x: op.matmul(op.reshape(x, (24, 5)), const(random_signs((5, 3)) * [0.5, 1, 2])), True),
        "per input": (lambda x: op.matmul(op.reshape(x, (24, 5)), const(np.arange(15).reshape(5, 3))), False),
        "depthwise": (lambda x: op.nn.conv2d(x, const(SIGNS[:, :1]), groups=4), True),
        "half": (lambda x: op.nn.conv2d(op.astype(x, "float16"), const(SIGNS, "float16")), False),
        "one weight": (lambda x: op.nn.conv2d(x, const(SIGNS[:, :1, :1, :1]), groups=4), False),
        "no layer": (op.nn.relu, False),
    }
    for body, expected in layers.values():
        (*_, (_, call)) = calls(module(body)["main"])
        assert has_bits(call) is expected
