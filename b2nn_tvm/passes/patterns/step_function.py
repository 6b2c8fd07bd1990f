"""Recognise an expression that has one value below a threshold, one value at it and one value above it.

``where(x >= 0, 1, -1)``, ``2 * cast(x >= 0) - 1``, ``cast(x > 0) - cast(x < 0)``, ``where(s == 0, 1, s)`` are all step
functions of x; their value at the threshold itself tells them apart: (-1, +1, +1) is the sign of binary networks, (-1,
-1, +1) the strict one, (-1, 0, +1) the mathematical one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from b2nn_tvm.relax_query import Definition, constant, dtype, op_name, uniform


@dataclass(frozen=True, eq=False)
class StepFunction:
    """``below`` where source < threshold, ``at`` where equal, ``above`` where greater; the threshold broadcasts."""

    source: relax.Expr
    threshold: np.ndarray
    below: np.generic
    at: np.generic
    above: np.generic

    @property
    def values(self) -> tuple[float, float, float]:
        return float(self.below), float(self.at), float(self.above)

    def map(self, function: Callable[..., Any], *others: StepFunction) -> StepFunction:
        """Apply an elementwise function to the values of this step function and of ``others`` that have the same
        step.
        """
        with np.errstate(all="ignore"):
            triples = zip(*((s.below, s.at, s.above) for s in (self, *others)))
            below, at, above = (function(*triple) for triple in triples)
        return StepFunction(self.source, self.threshold, below, at, above)

    def same_step(self, other: StepFunction) -> bool:
        return self.source.same_as(other.source) and np.array_equal(self.threshold, other.threshold)


def step_function(expr: relax.Expr, definition: Definition) -> StepFunction | None:
    """The step function that ``expr`` computes, or None. NaN is not considered."""
    call = definition(expr)
    name = op_name(call)
    if name == "relax.sign":  # the marker: +1 at zero
        inner = step_function(call.args[0], definition)
        if inner is not None:
            return inner.map(lambda v: np.float32(1 if v >= 0 else -1))
        return StepFunction(call.args[0], np.zeros((), np.float32), *map(np.float32, (-1, 1, 1)))
    if name in _COMPARE:
        return _comparison(call, _COMPARE[name], definition)
    if name in _BINARY:
        return _straight_through(call, name, definition) or _elementwise(call.args, _BINARY[name], definition)
    if name in _UNARY:
        return _elementwise(call.args, _UNARY[name], definition)
    if name == "relax.astype":
        return _elementwise(call.args, np.dtype(dtype(call)).type, definition) if dtype(call) in _DTYPES else None
    if name == "relax.clip":
        low, high = (float(bound.value) for bound in call.args[1:3])
        return _elementwise(call.args[:1], lambda v: type(v)(min(max(v, low), high)), definition)
    if name == "relax.where":
        return _elementwise(call.args, lambda condition, yes, no: yes if condition else no, definition)
    return None


_COMPARE = {
    "relax.greater_equal": operator.ge,
    "relax.greater": operator.gt,
    "relax.less_equal": operator.le,
    "relax.less": operator.lt,
    "relax.equal": operator.eq,
    "relax.not_equal": operator.ne,
}
_BINARY: dict[str, Callable[..., Any]] = {
    "relax.add": operator.add,
    "relax.subtract": operator.sub,
    "relax.multiply": operator.mul,
    "relax.divide": operator.truediv,
    "relax.maximum": max,
    "relax.minimum": min,
    "relax.logical_and": np.logical_and,
    "relax.logical_or": np.logical_or,
    "relax.logical_xor": np.logical_xor,
}
_UNARY: dict[str, Callable[..., Any]] = {
    "relax.negative": operator.neg,
    "relax.logical_not": np.logical_not,
    "relax.abs": abs,
    "relax.nn.relu": lambda v: type(v)(max(v, 0)),
}
_DTYPES = ("bool", "int8", "uint8", "int32", "int64", "float32", "float64")


def _comparison(call: relax.Call, compare: Callable[..., Any], definition: Definition) -> StepFunction | None:
    steps = _elementwise(call.args, compare, definition)
    if steps is not None:
        return steps
    left, right = (constant(definition(arg)) for arg in call.args)
    if left is None and right is not None:
        source, threshold, order = call.args[0], right, (-1, 0, 1)  # how the left side stands to the right side
    elif left is not None and right is None:
        source, threshold, order = call.args[1], left, (1, 0, -1)
    else:
        return None
    if dtype(source) != "float32" or not np.isfinite(threshold).all():
        return None
    if (threshold == threshold.flat[0]).all():
        threshold = threshold.reshape(-1)[0].reshape(())
    return StepFunction(source, threshold, *(np.bool_(compare(side, 0)) for side in order))


def _elementwise(
    args: Iterable[relax.Expr], function: Callable[..., Any], definition: Definition
) -> StepFunction | None:
    """The elementwise ``function`` of step functions that share their step, and of constants of one value; None for
    other operands.
    """
    operands = []
    for arg in args:
        value = uniform(definition(arg))
        operand = step_function(arg, definition) if value is None else value
        if operand is None:
            return None  # at once: to look at all operands of all operands takes exponential time in long chains
        operands.append(operand)
    steps = [o for o in operands if isinstance(o, StepFunction)]
    if not steps or not all(steps[0].same_step(s) for s in steps[1:]):
        return None

    def on_values(*values: Any) -> Any:
        rest = iter(values)
        return function(*(next(rest) if isinstance(o, StepFunction) else o for o in operands))

    return steps[0].map(on_values, *steps[1:])


def _straight_through(call: relax.Call, name: str, definition: Definition) -> StepFunction | None:
    """``(step - g) + g`` is the step: the straight-through estimator as it looks once ``detach`` is gone."""
    if name != "relax.add":
        return None
    for difference, gradient in (call.args, reversed(call.args)):
        inner = definition(difference)
        if op_name(inner) == "relax.subtract" and isinstance(gradient, relax.Var) and gradient.same_as(inner.args[1]):
            return step_function(inner.args[0], definition)
    return None
