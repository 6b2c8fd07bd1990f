"""The operators are computed as the kernels compute them."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.elementwise import compute, is_elementwise
from b2nn_tvm.relax_query import calls, op_name
from tests.support.passes.relax_functions import const, module, run

X = np.array([[-np.inf, -2.5, -1.5, -1, -0.5, -1e-45, -0.0, 0, 1e-30, 0.5, 1.5, 2.5, 1e30, np.inf]], np.float32)
ONE = {
    "abs": op.abs,
    "negative": op.negative,
    "round": op.round,
    "floor": op.floor,
    "ceil": op.ceil,
    "trunc": op.trunc,
    "square": op.square,
    "sign": op.sign,
    "relu": op.nn.relu,
    "leaky": lambda x: op.nn.leakyrelu(x, 0.3),
    "clip": lambda x: op.clip(x, -1, 1),
    "isnan": op.isnan,
    "isinf": op.isinf,
    "isfinite": op.isfinite,
    "divide": lambda x: op.divide(x, const(3)),
}


@pytest.mark.parametrize("name", ONE)
def test_one_operand(name):
    mod = module(ONE[name], X.shape)
    ((_, call),) = calls(mod["main"])
    operands = [X] if name != "divide" else [X, np.float32([[3]])]
    np.testing.assert_array_equal(compute(call, op_name(call), operands), run(mod, X))


def test_types_are_those_of_the_call():
    mod = module(lambda x: op.astype(op.astype(op.greater(x, const(0)), "int8"), "float32"), X.shape)
    kinds, values = [], X
    for _, call in calls(mod["main"]):
        operands = [values, np.float32([[0]])] if op_name(call) == "relax.greater" else [values]
        values = compute(call, op_name(call), operands)
        kinds.append(str(values.dtype))
    assert kinds == ["bool", "int8", "float32"]
    np.testing.assert_array_equal(values, X > 0)


def test_what_is_no_elementwise_operator():
    assert is_elementwise("relax.tanh", "float32")
    assert not is_elementwise("relax.tanh", "bfloat16")
    assert not is_elementwise("relax.nn.softmax", "float32")
