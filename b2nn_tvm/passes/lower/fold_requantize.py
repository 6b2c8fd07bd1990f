"""Fold the scales behind the sums of an 8-bit layer, divide by no scale there, and make no codes again of codes.

    multiply(multiply(astype(sums, "float32"), a), b)           ->  multiply(astype(sums, "float32"), a * b)
    divide(relu(add(multiply(astype(sums, "float32"), a), b)), s)  ->  multiply(relu(...), 1 / s)
    round(divide((c - z) * s, s)) of codes c                    ->  c - z
    clip(c, 0, 255), and astype(c, "uint8"), of c = astype(q, "float32")  ->  c, and q

A division takes as long as the sums of 64 channels. The product is off by the rounding of float32, as the scaled sums
are themselves; an input of the network is divided, as its values may lie on the borders between codes. Quantizers put
codes of the same scale on both sides of a transpose or a pooling, for example; there the whole numbers come back
exactly, and codes that lie in memory already are not stored again.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.quantized_layer import match_quantized_input
from b2nn_tvm.relax_query import constant, dtype, op_name, uniform

_FARTHEST = 8  # operators between the sums and a division
_OFF = 0.25  # how far from whole numbers is certain to be rounded to them, with the rounding of float32 beside it
_INTEGERS = ("uint8", "int8", "int16")  # the types of codes in memory
_KEEPING = ("relax.nn.relu", "relax.clip", "relax.multiply", "relax.add", "relax.maximum", "relax.minimum")


@tvm.transform.module_pass(opt_level=0, name="FoldRequantize")
class FoldRequantize(CompilerPass):
    """Fold the constants behind sums of integers."""

    requires = (NHWC,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _fold)


def _fold(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) == "relax.round":
        return _codes_again(call, context)
    if op_name(call) in ("relax.clip", "relax.maximum", "relax.minimum"):
        return _within_bounds(call, context)
    if op_name(call) == "relax.astype" and dtype(call) in _INTEGERS:
        return _stored_again(call, context)
    if op_name(call) == "relax.divide" and dtype(call) == "float32":
        divisor = uniform(call.args[1])
        with np.errstate(divide="ignore", over="ignore"):
            inverse = None if divisor is None else np.float32(1 / np.float64(divisor))
        if inverse is None or not np.isfinite(inverse) or not _behind_sums(call.args[0], context):
            return None
        return relax.op.multiply(call.args[0], relax.const(inverse))
    if op_name(call) == "relax.multiply":
        inner, second = context.definition(call.args[0]), constant(call.args[1])
        first = constant(inner.args[1]) if op_name(inner) == "relax.multiply" else None
        if first is None or second is None or not _is_of_sums(context.definition(inner.args[0])):
            return None
        folded = (first.astype(np.float64) * second).astype(np.float32)
        return relax.op.multiply(inner.args[0], relax.const(folded)) if np.isfinite(folded).all() else None
    return None


def _codes_again(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    """The codes less their zero point, where they are what is rounded, but for a factor that is next to 1."""
    data = match_quantized_input(call.args[0], context.definition)
    if data is None or data.moves or data.zero != round(data.zero):
        return None
    largest = max(abs(data.values.low - data.zero), abs(data.values.high - data.zero))
    if abs(data.scale - 1) * largest > _OFF:
        return None
    return relax.op.subtract(data.codes, relax.const(np.float32(data.zero))) if data.zero else data.codes


def _within_bounds(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    """What is clipped, where it is codes less a whole number, all of which lie within the bounds."""
    data = match_quantized_input(call.args[0], context.definition)
    if data is None or data.moves or data.scale != 1 or data.zero != round(data.zero):
        return None
    low, high = _bounds(call)
    within = low <= data.values.low - data.zero and data.values.high - data.zero <= high
    return call.args[0] if within else None


def _bounds(call: relax.Call) -> tuple[float, float]:
    """The numbers between which a call keeps its first operand; NaN where they are no such numbers."""
    if op_name(call) == "relax.clip":
        low, high = (float(bound.value) for bound in call.args[1:3])
        return low, high
    bound = uniform(call.args[1])
    number = nan if bound is None else float(bound)
    return (number, inf) if op_name(call) == "relax.maximum" else (-inf, number)


def _stored_again(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    """The integers in memory, where the same are cast to the same type again."""
    data = match_quantized_input(call.args[0], context.definition)
    if data is None or data.moves or data.scale != 1 or data.zero:
        return None
    numbers = context.definition(data.codes)
    again = op_name(numbers) == "relax.astype" and dtype(numbers.args[0]) == dtype(call)
    return numbers.args[0] if again else None


def _behind_sums(expr: relax.Expr, context: RewriteContext) -> bool:
    front = [expr]
    for _ in range(_FARTHEST):
        front = [context.definition(each) for each in front]
        if any(_is_of_sums(call) for call in front):
            return True
        front = [arg for call in front if op_name(call) in _KEEPING for arg in call.args if isinstance(arg, relax.Var)]
    return False


def _is_of_sums(call: relax.Expr) -> bool:
    """Whether a call casts integers of 32 bits to float."""
    return op_name(call) == "relax.astype" and dtype(call) == "float32" and dtype(call.args[0]) == "int32"
