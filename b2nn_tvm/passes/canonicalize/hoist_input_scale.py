"""Move the one scale of all signs past the operators between the sign and the convolution, to behind the convolution.

    R.nn.conv2d(R.multiply(R.sign(x), a), w)  ->  R.multiply(R.nn.conv2d(R.sign(x), w), a)

``a`` is a scalar, which also passes transposes, reshapes, max-pooling (a > 0) and padding (whose value is divided by
a).
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import is_signed, make_pad, match_pad
from b2nn_tvm.relax_query import dtype, op_name, uniform


@tvm.transform.module_pass(opt_level=0, name="HoistInputScale")
class HoistInputScale(CompilerPass):
    """Move a scalar factor of signs behind the convolution that reads them."""

    requires = (SIGN_IS_BINARY,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the scale of its input signs is applied behind it")
        return rewrite_calls(module, _hoist, recorder)


def _hoist(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if not call.args or dtype(call) != "float32":
        return None
    scaled = context.definition(call.args[0])
    if op_name(scaled) != "relax.multiply" or not is_signed(scaled.args[0], context.definition):
        return None
    scale = uniform(scaled.args[1])
    if scale is None or scale == 0:
        return None
    moved = _without_scale(call, scaled.args[0], float(scale))
    return None if moved is None else relax.op.multiply(context.emit(moved), relax.const(scale))


def _without_scale(call: relax.Call, signs: relax.Expr, scale: float) -> relax.Expr | None:
    name = op_name(call)
    if name in ("relax.permute_dims", "relax.reshape", "relax.nn.conv2d") or (
        name == "relax.nn.max_pool2d" and scale > 0
    ):
        return relax.Call(call.op, [signs, *call.args[1:]], call.attrs)
    pad = match_pad(call)
    return make_pad(signs, pad.widths, pad.value / scale) if pad else None
