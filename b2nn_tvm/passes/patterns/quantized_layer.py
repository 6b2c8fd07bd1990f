"""A layer of 8-bit codes by 8-bit weights: a convolution or a dense layer whose input is codes less a zero point, times
a scale, and whose weights are whole numbers times one scale per output channel.

    conv2d((codes - z) * s, q * t[o])  =  s * t[o] * conv2d(codes - z, q)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tvm import relax

from b2nn_tvm.passes.patterns.sign_patterns import all_signs
from b2nn_tvm.passes.patterns.whole_numbers import MOVES, Range, codes_range, split_whole_weights
from b2nn_tvm.reference.int8 import LARGEST_SUM, largest_sum
from b2nn_tvm.relax_query import Definition, constant, dtype, op_name, uniform

_LONGEST = 16  # operators between codes and their layer
_NEAR = 1e-4  # how far a zero point may lie from a whole number: 255 times the rounding of float32 twice


@dataclass(frozen=True, eq=False)
class QuantizedInput:
    """``(codes - zero) * scale``; ``codes`` is the variable of a float tensor of whole numbers, of which ``values`` is
    the range. ``moves`` are the calls that moved the values since, the last one first.
    """

    codes: relax.Expr
    values: Range
    scale: float
    zero: float
    moves: tuple[relax.Call, ...] = ()


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """``input`` by ``weight``, int8 [O, ...], times ``scales`` [O]; ``original`` are the float weights."""

    input: QuantizedInput
    weight: np.ndarray
    scales: np.ndarray
    original: np.ndarray


def match_quantized_layer(
    call: relax.Call, weight: np.ndarray | None, definition: Definition
) -> QuantizedLayer | str | None:
    """The layer of a convolution or product by ``weight`` [O, ...]; None where its input is no tensor of codes, and
    the reason in words where it is one and the layer is no 8-bit layer nevertheless.
    """
    if dtype(call) != "float32":
        return None
    data = match_quantized_input(call.args[0], definition)
    if data is None or (weight is not None and weight.dtype == np.float32 and all_signs(weight)):
        return None
    if weight is None or weight.dtype != np.float32:
        return "its input is 8-bit codes, but its weights are no constants"
    if data.zero != round(data.zero) or not data.values.low <= data.zero <= data.values.high:
        return f"its input is 8-bit codes, but none of them is 0: that would be the code {data.zero:g}"
    split = split_whole_weights(weight)
    if split is None:
        return "its input is 8-bit codes, but its weights are no whole numbers of 8 bits times a scale per output"
    filters, scales = split
    low, zero = int(data.values.low), int(data.zero)
    widest = max(int(data.values.high) - low, 128)  # codes are kept from 0 or -128 on
    most = largest_sum(filters, low=0, high=widest, zero=zero - low)
    if most > LARGEST_SUM:
        return f"its input is 8-bit codes, but its sums may reach {most:,}, beyond int32 ({LARGEST_SUM:,})"
    return QuantizedLayer(data, filters, scales, weight)


def match_quantized_input(expr: relax.Expr, definition: Definition) -> QuantizedInput | None:
    """The codes that ``expr`` was made of by a positive scale and an offset; None where there are none."""
    scale, offset, moves = 1.0, 0.0, []
    for _ in range(_LONGEST):
        call = definition(expr)
        step = affine_step(call, definition)
        if step is not None:
            expr, scale, offset = step.x, scale * step.factor, offset + scale * step.shift
        elif op_name(call) in MOVES:
            moves.append(call)
            expr = call.args[0]
        else:
            break
    values = codes_range(expr, definition)
    if values is None or not isinstance(expr, relax.Var) or not 0 < scale < np.inf:
        return None
    zero = -offset / scale
    return QuantizedInput(expr, values, scale, round(zero) if abs(zero - round(zero)) < _NEAR else zero, tuple(moves))


@dataclass(frozen=True, eq=False)
class AffineStep:
    """``x * factor + shift``, with one number each; x is the operand ``place`` of the call."""

    x: relax.Expr
    factor: float
    shift: float
    place: int


def affine_step(call: relax.Expr, definition: Definition) -> AffineStep | None:
    """The parts of a call that multiplies by a number or adds one; None for others."""
    name = op_name(call)
    if name not in ("relax.multiply", "relax.divide", "relax.add", "relax.subtract") or dtype(call) != "float32":
        return None
    left, right = (constant(definition(arg)) is not None for arg in call.args)
    if left == right or (left and name in ("relax.divide", "relax.subtract")):
        return None
    x, value = call.args[int(left)], uniform(definition(call.args[1 - int(left)]))
    if value is None:
        return None
    one = float(value)
    if name in ("relax.add", "relax.subtract"):
        return AffineStep(x, 1.0, one if name == "relax.add" else -one, int(left))
    return AffineStep(x, one if name == "relax.multiply" else 1 / one, 0.0, int(left)) if one else None
