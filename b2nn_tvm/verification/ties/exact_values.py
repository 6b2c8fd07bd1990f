"""Which values of a network every right program computes alike, so that a comparison of them is no matter of rounding.

Sums of signs are integers: whether such a sum is at least 0 is never in doubt, however often it is exactly 0. A scale
behind them rounds, but leaves the sign and zero as they are. What stands behind a sum of ordinary floats is rounded,
and its side of a threshold may differ within rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import onnx

_FLOAT32_INTEGERS = 2.0**24  # the largest integer below which float32 has all


class Level(IntEnum):
    """ROUNDED: within rounding. SIGNED: its sign, and whether it is 0, are exact. EXACT: itself is exact."""

    ROUNDED = 0
    SIGNED = 1
    EXACT = 2


@dataclass(frozen=True)
class Exactness:
    """How exactly a value is computed. Where ``step`` > 0, it is a multiple of it, of a magnitude up to ``bound``: then
    sums of it may be exact, too.
    """

    level: Level
    step: float = 0.0
    bound: float = float("inf")


@dataclass(frozen=True)
class _Known:
    constants: Mapping[str, np.ndarray]
    shapes: Mapping[str, tuple[int, ...]]


ROUNDED, SIGNED, EXACT = Exactness(Level.ROUNDED), Exactness(Level.SIGNED), Exactness(Level.EXACT)

_MOVES = frozenset(
    (
        *("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Expand", "Tile"),
        *("Gather", "GatherElements", "GatherND", "DepthToSpace", "SpaceToDepth", "Dropout"),
    )
)
_SIGN_PRESERVING = frozenset(("Neg", "Abs", "Relu", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"))
_TRUTHS = frozenset(
    (
        *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "IsNaN", "IsInf"),
        "Sign",
    )
)


def exact_values(
    graph: onnx.GraphProto, constants: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Exactness]:
    """The exactness of every value of the graph; of inputs, too, which are given and not computed."""
    found = {value.name: EXACT for value in graph.input} | {
        name: of_constant(value) for name, value in constants.items()
    }
    known = _Known(constants, shapes)
    for node in graph.node:
        if node.output[0] in found:  # a constant
            continue
        inputs = [found.get(name, ROUNDED) for name in node.input if name]
        rule = _RULES.get(node.op_type)
        result = rule(node, inputs, known) if rule and len(inputs) == len(node.input) else _by_kind(node, inputs)
        found |= dict.fromkeys(node.output, result)
    return found


def of_constant(value: np.ndarray) -> Exactness:
    """The exactness of an array of numbers, with the largest step of which all are multiples."""
    if value.dtype.kind not in "fiub" or not value.size:
        return EXACT
    numbers = np.abs(value.astype(np.float64))
    bound = float(numbers.max())
    if not np.isfinite(bound) or bound == 0:
        return Exactness(Level.EXACT, 1.0, 0.0) if bound == 0 else EXACT
    for step in (1.0, 2.0**-1, 2.0**-2, 2.0**-4, 2.0**-8, 2.0**-16):
        if not np.mod(numbers, step).any():
            return Exactness(Level.EXACT, step, bound)
    return EXACT


def _by_kind(node: onnx.NodeProto, inputs: list[Exactness]) -> Exactness:
    op = node.op_type
    if op in _TRUTHS:
        return Exactness(Level.EXACT, 1.0, 1.0)
    if op in _MOVES:
        return inputs[0] if inputs else ROUNDED
    if op in ("Concat", "Max", "Min", "Clip", "Pad"):
        return _either(inputs)
    if op == "Where":
        return _either(inputs[1:])
    if op in _SIGN_PRESERVING:
        return inputs[0]
    return ROUNDED


def _either(inputs: list[Exactness]) -> Exactness:
    """One of the inputs, it is not known which."""
    level = min(value.level for value in inputs)
    if any(value.step == 0 for value in inputs):
        return Exactness(level)
    return Exactness(level, min(value.step for value in inputs), max(value.bound for value in inputs))


def _sum(terms: list[Exactness], count: int = 1) -> Exactness:
    """The sum of the terms, each of them ``count`` times."""
    if len(terms) > 1:
        others = [term for term in terms if term.bound > 0]
        if len(others) <= 1:  # the rest is 0
            return _sum(others or terms[:1], count)
    elif count == 1:
        return terms[0]
    if any(term.level != Level.EXACT or term.step == 0 for term in terms):
        return ROUNDED
    return _on_grid(min(term.step for term in terms), sum(term.bound for term in terms) * count) or ROUNDED


def _product(a: Exactness, b: Exactness) -> Exactness:
    if a.level == b.level == Level.EXACT and a.step and b.step:
        return _on_grid(a.step * b.step, a.bound * b.bound) or SIGNED
    return Exactness(min(a.level, b.level, Level.SIGNED))


def _on_grid(step: float, bound: float) -> Exactness | None:
    return Exactness(Level.EXACT, step, bound) if bound / step < _FLOAT32_INTEGERS else None


def _multiplied(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    return _product(inputs[0], inputs[1])


def _divided(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    divisor = known.constants.get(node.input[1])
    if divisor is not None and divisor.size and np.all(np.frexp(np.abs(divisor.astype(np.float64)))[0] == 0.5):
        return _product(inputs[0], of_constant(1.0 / divisor.astype(np.float64)))  # by powers of two
    return Exactness(min(inputs[0].level, inputs[1].level, Level.SIGNED))


def _weighted(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    """A convolution or a matrix product, with a bias or without."""
    weights = known.constants.get(node.input[1])
    if weights is None or any(_number(node, name, 1.0) != 1 for name in ("alpha", "beta")):
        return ROUNDED
    per_output = weights.size / max(1, weights.shape[0] if node.op_type == "Conv" else min(weights.shape, default=1))
    products = _product(inputs[0], of_constant(weights))
    sums = _sum([products], int(per_output) or 1) if products.step else ROUNDED
    return _sum([sums, *inputs[2:]])


def _mean(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    total = _total(node, inputs, known)
    return Exactness(min(total.level, Level.SIGNED))


def _total(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    shape = known.shapes.get(node.input[0])
    return _sum(inputs[:1], max(2, int(np.prod(shape)))) if shape else ROUNDED


def _normalized(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    """A batch norm without a shift keeps signs."""
    shift, mean = (known.constants.get(name) for name in (node.input[2], node.input[3]))
    if shift is None or mean is None or shift.any() or mean.any():
        return ROUNDED
    return Exactness(min(inputs[0].level, Level.SIGNED))


def _cast(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    """To a smaller type a cast rounds, but what is a small integer stays one."""
    small = inputs[0].step >= 1 and inputs[0].bound <= 2048  # of which float16 has all
    if inputs[0].level == Level.EXACT and not small:
        return EXACT
    return inputs[0]


def _summed(node: onnx.NodeProto, inputs: list[Exactness], known: _Known) -> Exactness:
    return _sum(inputs)


def _number(node: onnx.NodeProto, name: str, default: float) -> float:
    return next((attribute.f for attribute in node.attribute if attribute.name == name), default)


_Rule = Callable[[onnx.NodeProto, list[Exactness], _Known], Exactness]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(("Add", "Sub", "Sum"), _summed),
    "Mul": _multiplied,
    "Div": _divided,
    **dict.fromkeys(("Conv", "MatMul", "Gemm"), _weighted),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean"), _mean),
    "ReduceSum": _total,
    "BatchNormalization": _normalized,
    "Cast": _cast,
}
