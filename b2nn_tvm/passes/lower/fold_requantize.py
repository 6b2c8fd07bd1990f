"""Fold the scales behind the sums of an 8-bit layer, and divide by no scale there.

    multiply(multiply(astype(sums, "float32"), a), b)           ->  multiply(astype(sums, "float32"), a * b)
    divide(relu(add(multiply(astype(sums, "float32"), a), b)), s)  ->  multiply(relu(...), 1 / s)

A division takes as long as the sums of 64 channels. The product is off by the rounding of float32, as the scaled sums
are themselves; an input of the network is divided, as its values may lie on the borders between codes.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import constant, dtype, op_name, uniform

_FARTHEST = 8  # operators between the sums and a division
_KEEPING = ("relax.nn.relu", "relax.clip", "relax.multiply", "relax.add", "relax.maximum", "relax.minimum")


@tvm.transform.module_pass(opt_level=0, name="FoldRequantize")
class FoldRequantize(CompilerPass):
    """Fold the constants behind sums of integers."""

    requires = (NHWC,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _fold)


def _fold(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
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
