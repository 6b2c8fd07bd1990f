"""Fold a rising activation in front of a sign into its threshold, where nothing else reads the activation's result.

    R.sign(R.maximum(x, -1))                           ->  R.sign(x)
    R.sign(R.subtract(R.nn.relu(x), t[..., C]))        ->  R.sign(R.subtract(x, t'))     t' = t where t > 0, else -inf
    R.sign(R.subtract(R.nn.prelu(x, a), t[..., C]))    ->  R.sign(R.subtract(x, t'))     a >= 0

f(x) >= t is x >= t' for a function f that never falls, with t' the smallest float32 for which it holds, +inf where
there is none. t' is found by bisection in the float32 arithmetic that it replaces, so the sign is the same for every
finite x. Channels are last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.float_order import INFINITY, first_where, float_of
from b2nn_tvm.relax_query import constant, dtype, op_name, per_channel, reads, shape

Function = Callable[[np.ndarray], np.ndarray]


@tvm.transform.module_pass(opt_level=0, name="FoldActivation")
class FoldActivation(CompilerPass):
    """Rewrite the sign of a chain of maximum, minimum, clip, relu, leakyrelu and prelu to a sign of the chain's
    input.
    """

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the activation in front of its sign is part of the threshold")
        count = reads(module["main"])
        single = lambda expr: isinstance(expr, relax.Var) and count[expr] == 1
        return rewrite_calls(module, lambda call, context: _fold(call, context, single), recorder)


def _fold(call: relax.Call, context: RewriteContext, single: Callable[[relax.Expr], bool]) -> relax.Expr | None:
    if op_name(call) != "relax.sign" or dtype(call) != "float32":
        return None
    value, threshold = call.args[0], np.zeros(1, np.float32)
    shifted = context.definition(value)
    if op_name(shifted) == "relax.subtract" and (limit := constant(shifted.args[1])) is not None:
        if not single(value) or not _channels_last(limit, shape(value)):
            return None
        value, threshold = shifted.args[0], limit.reshape(-1)
    source, functions = value, []
    while (function := activation(context.definition(source))) is not None:
        if not single(source):
            context.note("the activation in front of its sign is read by others, too")
            break
        functions.append(function)
        source = context.definition(source).args[0]
    if not functions:
        return None
    limit = input_threshold(functions[::-1], threshold)
    if not limit.any():
        return relax.op.sign(source)
    full = np.broadcast_to(limit, shape(call)[-1:] if limit.size > 1 else limit.shape)
    full = np.ascontiguousarray(full).reshape((1,) * (len(shape(call)) - 1) + (-1,))
    return relax.op.sign(context.emit(relax.op.subtract(source, relax.const(full))))


def activation(call: relax.Expr) -> Function | None:
    """The function of float32 values [..., C] that a call applies, if it never falls and is the same for all pixels,
    else None.
    """
    name = op_name(call)
    if name == "relax.nn.relu":
        return lambda v: np.maximum(v, np.float32(0))
    if name in ("relax.nn.leakyrelu", "relax.nn.prelu"):
        slope = np.float32(call.attrs.alpha) if name == "relax.nn.leakyrelu" else constant(call.args[1])
        last = name == "relax.nn.leakyrelu" or int(call.attrs.axis) % len(shape(call)) == len(shape(call)) - 1
        if slope is None or not last or not (slope >= 0).all() or not np.isfinite(slope).all():
            return None
        return lambda v: np.where(v > 0, v, v * slope).astype(np.float32)
    if name == "relax.clip":
        low, high = (np.float32(bound.value) for bound in call.args[1:3])
        return lambda v: np.minimum(np.maximum(v, low), high)
    if name in ("relax.maximum", "relax.minimum"):
        bound = constant(call.args[1])
        if bound is None or not _channels_last(bound, shape(call)) or np.isnan(bound).any():
            return None
        pick, bound = (np.maximum if name == "relax.maximum" else np.minimum), bound.reshape(-1)
        return lambda v: pick(v, bound)
    return None


def input_threshold(functions: list[Function], threshold: np.ndarray) -> np.ndarray:
    """The smallest float32 x [C or 1] with f(x) >= threshold, where f applies ``functions`` one after the other."""

    def reached(places: np.ndarray) -> np.ndarray:
        value = float_of(places)
        with np.errstate(over="ignore", invalid="ignore"):
            for function in functions:
                value = function(value)
        return value >= threshold

    size = np.broadcast(reached(np.array([INFINITY])), threshold).size
    first = first_where(reached, np.full(size, -INFINITY - 1), np.full(size, INFINITY))
    return float_of(first) + np.float32(0)  # -0.0 and +0.0 are one threshold


def _channels_last(value: np.ndarray, full: tuple[int, ...]) -> bool:
    return value.size == 1 or (per_channel(value, len(full), len(full) - 1) and value.size == full[-1])
