"""Rewrite a dense layer of signs as a binary 1x1 convolution of one pixel, which the next pass lowers.

matmul(sign(x[N, K]), w[K, O] = -alpha[o] or +alpha[o])
    ->  reshape(multiply(nn.conv2d(sign(reshape(x, [N, 1, 1, K])), w' = -1 or +1), alpha), [N, O])
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_DENSE, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.provenance.layer_names import split_sign_and_scale
from b2nn_tvm.relax_query import constant, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="LowerBinaryDense")
class LowerBinaryDense(CompilerPass):
    """Rewrite dense layers whose input is a sign and whose weights have one magnitude per output."""

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = (NO_BINARY_DENSE,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("is binary: signs by weights of ±alpha, as a convolution of one pixel")
        return rewrite_calls(module, _rewrite, recorder)


def _rewrite(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) != "relax.matmul" or len(shape(call.args[0])) != 2:
        return None
    weight, sign = constant(call.args[1]), context.definition(call.args[0])
    if weight is None or weight.ndim != 2 or weight.dtype != np.float32 or op_name(sign) != "relax.sign":
        return None
    parts = split_sign_and_scale(np.ascontiguousarray(weight.T))
    if parts is None:
        return None
    signs, alpha = parts
    source, threshold = sign.args[0], None
    before = context.definition(source)
    if (
        op_name(before) == "relax.subtract"
        and (limit := constant(before.args[1])) is not None
        and limit.size in (1, weight.shape[0])
    ):
        source, threshold = before.args[0], np.broadcast_to(limit.reshape(-1), weight.shape[0]).reshape(1, 1, 1, -1)
    batch, inputs = shape(source)
    pixel = context.emit(relax.op.reshape(source, (batch, 1, 1, inputs)))
    if threshold is not None:
        pixel = context.emit(relax.op.subtract(pixel, relax.const(np.ascontiguousarray(threshold))))
    binary = context.emit(relax.op.sign(pixel))
    filters = relax.const(np.ascontiguousarray(signs.T[None, None]))
    y = context.emit(relax.op.nn.conv2d(binary, filters, data_layout="NHWC", kernel_layout="HWIO", out_layout="NHWC"))
    if not (alpha == 1).all():
        y = context.emit(relax.op.multiply(y, relax.const(alpha.reshape(1, 1, 1, -1))))
    return relax.op.reshape(y, (batch, signs.shape[0]))
