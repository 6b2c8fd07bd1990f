"""What an expression is below a threshold, at it and above it; test_canonicalize_sign.py has the many spellings."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from b2nn_tvm.passes.patterns.step_function import StepFunction, step_function
from b2nn_tvm.relax_query import calls, definitions
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, assert_stays, const, module, random_input, run

ZERO, ONE, MINUS_ONE, TWO = const(0), const(1), const(-1), const(2)
PER_CHANNEL = np.array([0.25, -0.5, 0, 1], np.float32).reshape(1, 4, 1, 1)


def cast(x):
    return op.astype(x, "float32")


def step_of(body, *shapes):
    """The step function of the last call, and the function's parameters."""
    function = module(body, *shapes)["main"]
    (*_, (var, _)) = calls(function)
    return step_function(var, definitions(function)), function.params


def strict_sign(x):
    return op.subtract(op.multiply(cast(op.greater(x, ZERO)), TWO), ONE)


def ternary(x):
    return op.subtract(cast(op.greater(x, ZERO)), cast(op.less(x, ZERO)))


STEPS = {
    "the marker": (op.sign, (-1, 1, 1)),
    "2 * (x > 0) - 1": (strict_sign, (-1, -1, 1)),
    "(x > 0) - (x < 0)": (ternary, (-1, 0, 1)),
    "x <= 0": (lambda x: cast(op.less_equal(x, ZERO)), (1, 1, 0)),
    "x != 0": (lambda x: cast(op.not_equal(x, ZERO)), (1, 0, 1)),
    "0 < x": (lambda x: cast(op.less(ZERO, x)), (0, 0, 1)),
    "where": (lambda x: op.where(op.equal(x, ZERO), const(7), ternary(x)), (-1, 7, 1)),
    "marker of a step": (lambda x: op.sign(ternary(x)), (-1, 1, 1)),
    "relu of a step": (lambda x: op.nn.relu(ternary(x)), (0, 0, 1)),
    "abs of a step": (lambda x: op.abs(ternary(x)), (1, 0, 1)),
    "clipped": (lambda x: op.clip(op.multiply(ternary(x), const(3)), -2, 1), (-2, 0, 1)),
    "straight-through": (lambda x: op.add(op.subtract(strict_sign(x), x), x), (-1, -1, 1)),
}


@pytest.mark.parametrize("name", STEPS)
def test_three_values_tell_step_functions_apart(name):
    body, values = STEPS[name]
    found, (x,) = step_of(body)
    assert found.values == values
    assert found.source.same_as(x) and found.threshold.shape == () and found.threshold == 0


@pytest.mark.parametrize("name", [name for name in STEPS if "straight" not in name])
def test_the_three_values_are_those_of_the_program(name):
    body, values = STEPS[name]
    x = random_input()
    assert (x == 0).any()
    np.testing.assert_array_equal(run(module(body), x), np.array(values)[np.sign(x).astype(int) + 1])


def test_a_threshold_is_the_number_that_is_compared_with():
    found, (x,) = step_of(lambda x: op.greater_equal(x, const(PER_CHANNEL)))
    np.testing.assert_array_equal(found.threshold, PER_CHANNEL)
    assert found.source.same_as(x) and found.values == (0, 1, 1)
    one, _ = step_of(lambda x: op.greater_equal(x, const(np.full((1, 4, 1, 1), 0.25))))
    assert one.threshold.shape == () and one.threshold == 0.25


@pytest.mark.parametrize(
    "body",
    [
        op.nn.relu,
        lambda x: op.greater_equal(x, const(np.inf)),
        lambda x: op.add(x, ONE),
        lambda x: op.subtract(cast(op.greater(x, ZERO)), cast(op.less(x, ONE))),
        lambda x: op.multiply(ternary(x), const(random_input((1, 4, 1, 1)))),
        lambda x: op.astype(op.greater(x, ZERO), "float16"),
    ],
    ids=["relu", "infinite threshold", "sum", "two thresholds", "scaled per channel", "half floats"],
)
def test_what_is_no_step_function(body):
    assert step_of(body)[0] is None


def test_steps_of_different_inputs_are_none():
    body = lambda x, y: op.add(cast(op.greater(x, ZERO)), cast(op.greater(y, ZERO)))
    assert step_of(body, SHAPE, SHAPE)[0] is None
    assert step_of(op.greater, SHAPE, SHAPE)[0] is None


def test_values_are_mapped_one_by_one():
    x = const(1)
    step = StepFunction(x, np.float32(0), np.float32(-1), np.float32(0), np.float32(1))
    other = StepFunction(x, np.float32(0), np.float32(10), np.float32(20), np.float32(30))
    assert step.same_step(other) and step.map(lambda a, b: a + b, other).values == (9, 20, 31)
    assert not step.same_step(StepFunction(x, np.float32(1), *map(np.float32, (0, 0, 1))))
    assert step.map(lambda value: np.float32(1) / value).values == (-1, np.inf, 1)  # a division by 0 is no warning


def test_long_chains_take_no_exponential_time():
    def body(x):
        for _ in range(60):
            x = op.add(x, x)
        return x

    assert_stays(CanonicalizeSign(context()), body)
