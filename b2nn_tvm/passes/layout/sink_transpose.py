"""Push transposes behind elementwise operators and padding, until they meet their inverse or the end of the network.

    R.clip(R.permute_dims(x, p))                     ->  R.permute_dims(R.clip(x), p)
    R.add(R.permute_dims(x, p), R.permute_dims(y, p))  ->  R.permute_dims(R.add(x, y), p)
    R.nn.pad(R.permute_dims(x, p), widths)           ->  R.permute_dims(R.nn.pad(x, widths'), p)
    R.permute_dims(R.permute_dims(x, p), inverse p)  ->  x
    R.permute_dims(constant, p)                      ->  constant

Relax's ConvertLayout leaves operators it has no rule for (pad, clip, where, leaky ReLU, comparisons) between two
transposes.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import make_pad, match_pad
from b2nn_tvm.relax_query import constant, ints, op_name, shape

_ELEMENTWISE = {
    *(
        "relax.add",
        "relax.subtract",
        "relax.multiply",
        "relax.divide",
        "relax.power",
        "relax.floor_divide",
        "relax.mod",
    ),
    *("relax.maximum", "relax.minimum", "relax.clip", "relax.where", "relax.astype", "relax.sign", "relax.round"),
    *(
        "relax.abs",
        "relax.negative",
        "relax.square",
        "relax.sqrt",
        "relax.rsqrt",
        "relax.exp",
        "relax.log",
        "relax.erf",
    ),
    *("relax.sin", "relax.cos", "relax.tan", "relax.sinh", "relax.cosh", "relax.tanh", "relax.sigmoid"),
    *(
        "relax.asin",
        "relax.acos",
        "relax.atan",
        "relax.asinh",
        "relax.acosh",
        "relax.atanh",
        "relax.ceil",
        "relax.floor",
    ),
    *("relax.nn.relu", "relax.nn.leakyrelu", "relax.nn.gelu", "relax.nn.gelu_tanh", "relax.nn.silu", "relax.nn.selu"),
    *("relax.greater", "relax.greater_equal", "relax.less", "relax.less_equal", "relax.equal", "relax.not_equal"),
    *("relax.logical_and", "relax.logical_or", "relax.logical_xor", "relax.logical_not", "relax.nn.softplus"),
    *("relax.isfinite", "relax.isinf", "relax.isnan"),
}


@tvm.transform.module_pass(opt_level=0, name="SinkTranspose")
class SinkTranspose(CompilerPass):
    """Sink R.permute_dims through elementwise operators, nn.prelu and nn.pad, and cancel it at its inverse."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _sink)


def _sink(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    name = op_name(call)
    if name == "relax.permute_dims":
        return _compose(call, context)
    if name in _ELEMENTWISE:
        return _sink_elementwise(call, context)
    axes = _axes(call.args[0], context) if name in ("relax.nn.prelu", "relax.nn.pad") else None
    if axes is None:
        return None
    source = context.definition(call.args[0]).args[0]
    pad = match_pad(call)
    if name == "relax.nn.prelu":
        axis = axes[int(call.attrs.axis) % len(axes)]
        moved = relax.op.nn.prelu(source, call.args[1], axis)
    elif pad is not None:
        moved = make_pad(source, tuple(pad.widths[i] for i in np.argsort(axes)), pad.value)
    else:
        return None
    return relax.op.permute_dims(context.emit(moved), axes)


def _compose(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if call.attrs.axes is not None and list(call.attrs.axes) == sorted(call.attrs.axes):
        return call.args[0]  # ConvertLayout turns a transpose to channels-last into an identity
    value = constant(call.args[0])
    if value is not None and call.attrs.axes is not None:
        return relax.const(value.transpose(ints(call.attrs.axes)).copy(), str(value.dtype))
    inner = _axes(call.args[0], context)
    if inner is None or call.attrs.axes is None:
        return None
    source = context.definition(call.args[0]).args[0]
    axes = [inner[axis] for axis in ints(call.attrs.axes)]
    return source if axes == sorted(axes) else relax.op.permute_dims(source, axes)


def _sink_elementwise(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    found = [_axes(arg, context) for arg in call.args]
    axes = next((axes for axes in found if axes is not None), None)
    if axes is None or len(shape(call)) != len(axes):
        return None
    args = []
    for arg, own in zip(call.args, found):
        value = constant(arg)
        if own == axes:
            arg = context.definition(arg).args[0]
        elif value is not None and value.ndim == len(axes):
            arg = relax.const(value.transpose(np.argsort(axes)).copy(), str(value.dtype))
        elif shape(arg) or isinstance(arg, relax.Var):  # a tensor in another layout; plain numbers and scalars fit any
            return None
        args.append(arg)
    return relax.op.permute_dims(context.emit(relax.Call(call.op, args, call.attrs)), axes)


def _axes(expr: relax.Expr, context: RewriteContext) -> list[int] | None:
    call = context.definition(expr)
    if op_name(call) != "relax.permute_dims" or call.attrs.axes is None:
        return None
    return list(ints(call.attrs.axes))
