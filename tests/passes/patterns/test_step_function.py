"""Step functions are known by their values, whatever they are made of; their thresholds are exact."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.step_function import few_values, step_function
from b2nn_tvm.relax_query import calls, definitions, op_name
from tests.support.passes.relax_functions import SHAPE, const, module

ZERO, ONE, MINUS_ONE, TWO, HALF = const(0), const(1), const(-1), const(2), const(0.5)
INT = const(255, "int32")
THRESHOLDS = np.array([0.25, -0.5, 0, 1], np.float32)
PER_CHANNEL = const(THRESHOLDS.reshape(1, 4, 1, 1))
SMALLEST = np.float32(1e-45)


def cast(x, kind="float32"):
    return op.astype(x, kind)


def at_least_zero(x):
    return op.where(op.greater_equal(x, ZERO), ONE, MINUS_ONE)


def ternary(x):
    return op.subtract(cast(op.greater(x, ZERO)), cast(op.less(x, ZERO)))


def of_network(x):
    """The sign of Bi-Real-Net with the pieces of its polynomial in the backward part (Liu et al., ECCV 2018)."""
    first, second, third = (cast(op.less(x, const(bound))) for bound in (-1, 0, 1))
    square, double = op.multiply(x, x), op.multiply(x, TWO)
    y = op.add(op.multiply(MINUS_ONE, first), op.multiply(op.add(square, double), op.subtract(ONE, first)))
    falling = op.add(op.negative(square), double)
    y = op.add(op.multiply(y, second), op.multiply(falling, op.subtract(ONE, second)))
    y = op.add(op.multiply(y, third), op.multiply(ONE, op.subtract(ONE, third)))
    return op.add(op.subtract(ternary(x), y), y)


def step_of(body, *shapes):
    """The step function of the last call, and the operator that its source comes from."""
    function = module(body, *shapes)["main"]
    (*_, (var, _)) = calls(function)
    look = definitions(function)
    found = step_function(var, look)
    return found, found and op_name(look(found.source)).removeprefix("relax.")


# What is computed, its source, its values below and above, and where the upper one begins.
STEPS = {
    "the marker": (op.sign, "", -1, 1, 0),
    "x >= 0": (at_least_zero, "", -1, 1, 0),
    "x > 0": (lambda x: op.where(op.greater(x, ZERO), ONE, MINUS_ONE), "", -1, 1, SMALLEST),
    "x < 0": (lambda x: cast(op.less(x, ZERO)), "", 1, 0, 0),
    "through int32": (lambda x: cast(cast(op.greater_equal(x, HALF), "int32")), "", 0, 1, 0.5),
    "round of clip": (lambda x: op.round(op.clip(x, 0, 1)), "", 0, 1, np.nextafter(np.float32(0.5), np.float32(1))),
    "floor of clip": (lambda x: op.floor(op.clip(op.add(x, HALF), 0, 1)), "add", 0, 1, 1),
    "ceil of clip": (lambda x: op.ceil(op.clip(x, 0, 1)), "", 0, 1, SMALLEST),
    "or": (lambda x: cast(op.logical_or(op.greater(x, ZERO), op.equal(x, ZERO))), "", 0, 1, 0),
    "masks": (lambda x: op.add(cast(op.greater(x, ONE)), op.multiply(MINUS_ONE, cast(op.less_equal(x, ONE)))), "",
              -1, 1, np.nextafter(np.float32(1), np.float32(2))),
    "sign of sign": (lambda x: at_least_zero(op.add(ternary(x), HALF)), "", -1, 1, 0),
    "straight-through": (lambda x: op.add(x, op.subtract(at_least_zero(x), x)), "", -1, 1, 0),
    "learned values": (lambda x: op.add(op.multiply(at_least_zero(op.subtract(x, HALF)), TWO), HALF), "subtract",
                       -1.5, 2.5, 0),
    "NaN apart": (lambda x: op.where(op.isnan(x), MINUS_ONE, at_least_zero(x)), "", -1, 1, 0),
    "finite apart": (lambda x: op.where(op.isfinite(x), at_least_zero(x), at_least_zero(x)), "", -1, 1, 0),
    "a power of -1": (lambda x: op.power(MINUS_ONE, cast(op.less(x, HALF))), "", -1, 1, 0.5),
    "exclusive or": (lambda x: cast(op.logical_xor(op.less(x, HALF), op.equal(x, x))), "", 0, 1, 0.5),
    "wrapped around": (lambda x: cast(op.bitwise_and(cast(at_least_zero(x), "int32"), INT)), "", 255, 1, 0),
    "modulo": (lambda x: cast(op.floor_mod(cast(at_least_zero(x), "int32"), INT)), "", 254, 1, 0),
    "erf": (lambda x: at_least_zero(op.erf(x)), "erf", -1, 1, 0),
    "int16": (lambda x: cast(cast(op.greater_equal(x, HALF), "int16")), "", 0, 1, 0.5),
    "sign of hardtanh": (lambda x: at_least_zero(op.clip(x, -1, 1)), "clip", -1, 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_step_functions(name):
    body, source, low, high, threshold = STEPS[name]
    found, operator = step_of(body)
    assert operator == source and found.exact and found.axis == -1
    assert (found.low, found.high, found.begin) == (low, high, threshold)


TIES = {
    "ternary": (ternary, False),
    "x / abs(x)": (lambda x: op.divide(x, op.abs(x)), True),
    "polynomial": (of_network, False),
}


@pytest.mark.parametrize("name", TIES)
def test_zero_may_be_something_else(name):
    body, undefined = TIES[name]
    found, _ = step_of(body)
    assert not found.exact and found.narrow and found.undefined is undefined
    assert (found.low, found.high, found.begin, found.end) == (-1, 1, 0, SMALLEST)
    assert undefined or set(found.between) == {0}


def test_a_clip_of_a_multiple_is_a_step_but_for_what_rounding_reaches():
    found, _ = step_of(lambda x: op.clip(op.multiply(x, const(1e30)), -1, 1))
    assert found.narrow and not found.exact and -1e-29 < found.begin < found.threshold == 0 < found.end < 1e-29
    assert step_of(lambda x: op.clip(op.multiply(x, const(100)), -1, 1))[0] is None


def test_a_wide_middle_is_no_tie():
    found, _ = step_of(lambda x: op.subtract(cast(op.greater(x, HALF)), cast(op.less(x, const(-0.5)))))
    assert not found.exact and not found.narrow


def test_thresholds_per_channel():
    found, _ = step_of(lambda x: op.where(op.less_equal(x, PER_CHANNEL), MINUS_ONE, ONE))
    assert found.axis == 1
    np.testing.assert_array_equal(found.begin, np.nextafter(THRESHOLDS, np.float32(np.inf)))


@pytest.mark.parametrize(
    "body",
    [
        op.nn.relu,
        lambda x: cast(op.greater_equal(x, const(np.inf))),
        lambda x: op.where(op.greater_equal(x, ZERO), const(np.inf), ONE),
        lambda x: op.where(op.equal(x, ZERO), ONE, MINUS_ONE),
        lambda x: cast(op.logical_xor(op.greater(x, ZERO), op.less(x, TWO))),
        lambda x: op.astype(op.greater(x, ZERO), "float16"),
    ],
    ids=["relu", "infinite threshold", "infinite value", "equality", "band", "half"],
)
def test_what_is_no_step_function(body):
    assert step_of(body)[0] is None


def test_steps_of_two_tensors_are_none():
    body = lambda x, y: op.add(cast(op.greater(x, ZERO)), cast(op.greater(y, ZERO)))
    assert step_of(body, SHAPE, SHAPE)[0] is None


def test_few_values_are_all_values():
    function = module(lambda x: op.round(op.multiply(op.clip(x, 0, 1), const(3))))["main"]
    (*_, (var, _)) = calls(function)
    np.testing.assert_array_equal(few_values(var, definitions(function)), [0, 1, 2, 3])
