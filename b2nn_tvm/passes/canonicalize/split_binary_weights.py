"""Split binary weights of a convolution into -1, +1 and a scale per output channel.

    R.nn.conv2d(R.sign(x), w)  ->  R.multiply(R.nn.conv2d(R.sign(x), s), alpha[1, O, 1, 1])    w = s * alpha, s = -1, +1
    R.nn.conv2d(R.sign(x), w)  ->  the sum of two of these where w has two values per filter or is ternary
    R.nn.conv2d(x, w)          ->  R.multiply(R.nn.conv2d(x, s), alpha[1, O, 1, 1])            where that is exact

The weights of groups that are too narrow for popcounts are split, too, so that they are kept as bits; a sum of two
convolutions would only make them slower.

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
from b2nn_tvm.passes.patterns.sign_patterns import has_binary_groups, is_depthwise, is_signed
from b2nn_tvm.passes.patterns.sign_terms import SignTerm, sign_terms
from b2nn_tvm.provenance.layer_names import is_sign_times_scale
from b2nn_tvm.relax_query import constant, dtype, op_name


@tvm.transform.module_pass(opt_level=0, name="SplitBinaryWeights")
class SplitBinaryWeights(CompilerPass):
    """Make the weights of convolutions -1 and +1 where they have one magnitude, or two values, or three, per channel.

    It leaves depthwise convolutions, and narrow groups of two or three values.
    """

    requires = (NCHW, SIGN_IS_BINARY)
    ensures = (WEIGHTS_SPLIT,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("its weights, ±alpha, are signs and one scale per output channel")
        return rewrite_calls(module, self._split, recorder)

    def _split(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) != "relax.nn.conv2d" or dtype(call) != "float32":
            return None
        layouts = (str(call.attrs.data_layout), str(call.attrs.kernel_layout))
        weight = constant(call.args[1])
        if weight is None or layouts != ("NCHW", "OIHW") or is_depthwise(call, weight):
            return None
        if not is_signed(call.args[0], context.definition) and not is_sign_times_scale(weight):
            return None
        terms = sign_terms(weight)
        if not terms or (call.attrs.groups != 1 and any(len(term.signs) != len(weight) for term in terms)):
            return None
        if len(terms) > 1 and not has_binary_groups(call):
            return None
        if len(terms) == 1 and (terms[0].scale == 1).all() and np.array_equal(terms[0].signs, weight):
            return None
        if len(terms) > 1:
            context.note("its weights have two values per output channel, or three: the sum of two binary convolutions")
            self.context.name_parts(weight, {term.suffix: term.signs for term in terms})
        if len(terms) == 1:
            return _scaled(call, terms[0], context)
        return relax.op.add(*[context.emit(_scaled(call, term, context)) for term in terms])


def _scaled(call: relax.Call, term: SignTerm, context: RewriteContext) -> relax.Expr:
    conv = relax.Call(call.op, [call.args[0], relax.const(term.signs)], call.attrs)
    if (term.scale == 1).all():
        return conv
    return relax.op.multiply(context.emit(conv), relax.const(term.scale.reshape(1, -1, 1, 1)))
