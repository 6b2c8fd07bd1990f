"""Replace a transpose that moves no element in memory by a reshape, which takes no kernel, and join reshapes.

    R.permute_dims(x[N, 1, 1, C], [0, 3, 1, 2])   ->  R.reshape(x, [N, C, 1, 1])
    R.reshape(R.reshape(x, s), t)                 ->  R.reshape(x, t)

A global pooling in front of a dense layer leaves this transpose.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import ints, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="ReshapeTranspose")
class ReshapeTranspose(CompilerPass):
    """Rewrite transposes that move axes of one element only."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _reshape)


def _reshape(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) == "relax.permute_dims" and call.attrs.axes is not None:
        sizes = shape(call.args[0])
        kept = [axis for axis in ints(call.attrs.axes) if sizes and sizes[axis] != 1]
        return relax.op.reshape(call.args[0], shape(call)) if sizes and kept == sorted(kept) else None
    if op_name(call) == "relax.reshape" and op_name(inner := context.definition(call.args[0])) == "relax.reshape":
        return relax.op.reshape(inner.args[0], shape(call))
    return None
