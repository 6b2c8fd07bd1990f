"""Write a stack as a concatenation along a new axis: ConvertLayout is right for the latter alone.

    R.stack((x[N, C, H, W], y[N, C, H, W]), axis=0)
        ->  R.concat((R.expand_dims(x, axis=[0]), R.expand_dims(y, axis=[0])), axis=0)

TVM's importer turns ONNX's Mean of several tensors into a stack.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import op_name


@tvm.transform.module_pass(opt_level=0, name="UnfoldStack")
class UnfoldStack(CompilerPass):
    """Rewrite R.stack of a tuple of tensors; it stands before the axes are counted from the front."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _unfold)


def _unfold(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    stacked = context.definition(call.args[0]) if op_name(call) == "relax.stack" else None
    if not isinstance(stacked, relax.Tuple):
        return None
    axis = 0 if call.attrs.axis is None else int(call.attrs.axis)
    return relax.op.concat([context.emit(relax.op.expand_dims(tensor, [axis])) for tensor in stacked.fields], axis)
