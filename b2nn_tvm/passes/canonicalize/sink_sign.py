"""Let the sign be the last operator before the convolution: it commutes with everything that only moves values.

    R.permute_dims(R.sign(x))                 ->  R.sign(R.permute_dims(x))
    R.permute_dims(R.sign(R.subtract(x, t)))  ->  R.sign(R.subtract(R.permute_dims(x), transposed t))
    R.nn.max_pool2d(R.sign(x))                ->  R.sign(R.nn.max_pool2d(x))
    R.permute_dims(R.nn.pad(R.sign(x), -1))   ->  R.nn.pad(R.sign(R.permute_dims(x)), -1)

The rewrites are exact: the sign is monotone, and so is the subtraction of a threshold in floats. R.reshape is treated
like R.permute_dims.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import make_pad, match_pad
from b2nn_tvm.relax_query import constant, ints, op_name, per_channel, shape, uniform


@tvm.transform.module_pass(opt_level=0, name="SinkSign")
class SinkSign(CompilerPass):
    """Move R.sign, with its threshold, behind transposes, reshapes and max-pooling."""

    requires = (SIGN_IS_BINARY,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the sign of its input is taken behind what only moves or picks values")
        return rewrite_calls(module, _sink, recorder)


def _sink(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) not in ("relax.permute_dims", "relax.reshape", "relax.nn.max_pool2d"):
        return None
    inner = context.definition(call.args[0])
    if op_name(inner) == "relax.sign":
        return _sign_last(call, inner, context)
    pad = match_pad(inner)
    if pad is None or op_name(call) != "relax.permute_dims" or call.attrs.axes is None:
        return None
    sign = context.definition(pad.data)
    if op_name(sign) != "relax.sign":
        return None
    moved = context.emit(_sign_last(call, sign, context))
    return make_pad(moved, tuple(pad.widths[axis] for axis in ints(call.attrs.axes)), pad.value)


def _sign_last(call: relax.Call, sign: relax.Call, context: RewriteContext) -> relax.Expr:
    source, threshold = sign.args[0], None
    shifted = context.definition(source)
    if op_name(shifted) == "relax.subtract":
        threshold = _moved_threshold(call, shifted)
        source = source if threshold is None else shifted.args[0]
    moved = context.emit(relax.Call(call.op, [source, *call.args[1:]], call.attrs))
    if threshold is not None:
        moved = context.emit(relax.op.subtract(moved, threshold))
    return relax.op.sign(moved)


def _moved_threshold(call: relax.Call, shifted: relax.Call) -> relax.Expr | None:
    value, rank = constant(shifted.args[1]), len(shape(shifted))
    if value is None:
        return None
    if op_name(call) == "relax.permute_dims" and value.ndim == rank and call.attrs.axes is not None:
        return relax.const(value.transpose(ints(call.attrs.axes)).copy())
    if op_name(call) == "relax.nn.max_pool2d":
        channel = str(call.attrs.layout).index("C")
        return shifted.args[1] if per_channel(value, rank, channel) else None
    same = uniform(shifted.args[1])
    return None if same is None else relax.const(same)
