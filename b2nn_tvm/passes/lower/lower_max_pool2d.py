"""Lower max pooling of floats (NHWC) to one expression per pixel, so that padding for the next layer can be fused
behind it.

nn.max_pool2d(x)  ->  call_tir(max_pool2d, x)
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.ops.max_pool2d import max_pool2d, obstacle
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_CONV
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.lower_pooled_signs import pooling_of
from b2nn_tvm.relax_query import op_name, shape


@tvm.transform.module_pass(opt_level=0, name="LowerMaxPool2d")
class LowerMaxPool2d(CompilerPass):
    """Lower the max poolings of few taps without gaps; other ones are left to Relax."""

    requires = (NHWC, NO_BINARY_CONV)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the max pooling in front of it is written out tap by tap")
        return rewrite_calls(module, _lower, recorder)


def _lower(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) != "relax.nn.max_pool2d" or str(call.attrs.layout) != "NHWC":
        return None
    pooling, (_, height, width, _) = pooling_of(call), shape(call.args[0])
    if why := obstacle(height, width, pooling):
        context.note(f"the max pooling in front of it stays a reduction: {why}")
        return None
    return context.call_te(
        lambda x: max_pool2d(x, pooling), call.args[0], name="max_pool2d", pattern=OpPattern.OUT_ELEMENTWISE_FUSABLE
    )
