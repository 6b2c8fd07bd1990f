"""Split binary weights of a convolution into -1, +1 and a scale per output channel.

    R.nn.conv2d(R.sign(x), w)  ->  R.multiply(R.nn.conv2d(R.sign(x), s), alpha[1, O, 1, 1])    w = s * alpha, s = -1, +1
    R.nn.conv2d(x, w)          ->  R.multiply(R.nn.conv2d(x, s), alpha[1, O, 1, 1])            where that is exact

Exporters fold batch norm into the weights: the weights are then no longer -1 and +1, but still of one magnitude per
output channel, with the signs flipped where gamma is negative. A channel of zeros gets s = +1 and alpha = 0. Where the
input is a sign, the magnitudes may differ by rounding errors; on other inputs they may not, because nothing there says
that the weights are meant to be binary.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NCHW, SIGN_IS_BINARY, WEIGHTS_SPLIT
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import is_signed
from b2nn_tvm.provenance.layer_names import is_sign_times_scale, split_sign_and_scale
from b2nn_tvm.relax_query import constant, dtype, op_name


@tvm.transform.module_pass(opt_level=0, name="SplitBinaryWeights")
class SplitBinaryWeights(CompilerPass):
    """Make the weights of every ungrouped convolution -1 and +1 where they have one magnitude per channel."""

    requires = (NCHW, SIGN_IS_BINARY)
    ensures = (WEIGHTS_SPLIT,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("its weights, ±alpha, are signs and one scale per output channel")
        return rewrite_calls(module, _split, recorder)


def _split(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) != "relax.nn.conv2d" or call.attrs.groups != 1 or dtype(call) != "float32":
        return None
    layouts = (str(call.attrs.data_layout), str(call.attrs.kernel_layout))
    weight = constant(call.args[1])
    if weight is None or layouts != ("NCHW", "OIHW"):
        return None
    if not is_signed(call.args[0], context.definition) and not is_sign_times_scale(weight):
        return None
    parts = split_sign_and_scale(weight)
    if parts is None:
        return None
    signs, scale = parts
    if (scale == 1).all() and np.array_equal(signs, weight):
        return None
    conv = relax.Call(call.op, [call.args[0], relax.const(signs)], call.attrs)
    if (scale == 1).all():
        return conv
    return relax.op.multiply(context.emit(conv), relax.const(scale.reshape(1, -1, 1, 1)))
