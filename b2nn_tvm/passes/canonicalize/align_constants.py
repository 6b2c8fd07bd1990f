"""Give the constant operand of an elementwise operator the rank of the other operand.

    R.multiply(x[1, C, H, W], c[C, 1, 1])  ->  R.multiply(x, c[1, C, 1, 1])

Layout conversion transposes a constant only if it has the rank of the tensor that it meets; otherwise it transposes the
tensor.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONSTANTS_ALIGNED
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.elementwise import BROADCASTING
from b2nn_tvm.relax_query import constant, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="AlignConstants")
class AlignConstants(CompilerPass):
    """Expand broadcast constants to full rank; scalars (rank 0) stay."""

    requires = ()
    ensures = (CONSTANTS_ALIGNED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _align)


def _align(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) not in BROADCASTING:
        return None
    rank = len(shape(call))
    args, changed = [], False
    for arg in call.args:
        value = constant(arg)
        if value is not None and 0 < value.ndim < rank:
            full = value.reshape((1,) * (rank - value.ndim) + value.shape)
            arg, changed = relax.const(full, str(value.dtype)), True
        args.append(arg)
    return relax.Call(call.op, args, call.attrs) if changed else None
