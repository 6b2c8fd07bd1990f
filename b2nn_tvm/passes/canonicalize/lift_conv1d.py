"""Compute 1-D convolutions and what follows them on images of one row, for which there are kernels.

    R.nn.conv1d(x[N, C, W], w[O, C, k])
        ->  R.reshape(R.nn.conv2d(R.reshape(x, [N, C, 1, W]), w[O, C, 1, k]), [N, O, W'])
    R.add(R.reshape(y, [N, C, W]), b[C, 1])           ->  R.reshape(R.add(y, b[C, 1, 1]), [N, C, W])
    R.reshape(R.reshape(y, [N, C, W]), [N, C, 1, W])  ->  y

So between two 1-D convolutions nothing but images is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.elementwise import BROADCASTING
from b2nn_tvm.relax_query import constant, ints, op_name, shape

_UNARY = frozenset(
    {
        *("relax.nn.relu", "relax.nn.leakyrelu", "relax.nn.gelu", "relax.nn.silu", "relax.sigmoid", "relax.tanh"),
        *("relax.abs", "relax.negative", "relax.exp", "relax.sqrt", "relax.round", "relax.floor", "relax.ceil"),
        *("relax.clip", "relax.astype", "relax.sign", "relax.logical_not", "relax.erf"),
    }
)
_POOLS = {"relax.nn.max_pool1d": relax.op.nn.max_pool2d, "relax.nn.avg_pool1d": relax.op.nn.avg_pool2d}


@tvm.transform.module_pass(opt_level=0, name="LiftConv1d")
class LiftConv1d(CompilerPass):
    """Make 1-D convolutions, poolings and elementwise operators on their results two-dimensional."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _lift, self.recorder("it is a convolution over images of one row"))


def _lift(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    name = op_name(call)
    if name == "relax.nn.conv1d":
        return _conv(call, context)
    if name in _POOLS:
        return _pool(call, context)
    if name == "relax.reshape":
        image = _lifted(call.args[0], context)
        return image if image is not None and shape(image) == shape(call) else None
    if name in BROADCASTING or name in _UNARY:
        return _elementwise(call, context)
    return None


def _conv(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    attrs, weight = call.attrs, call.args[1]
    if (attrs.data_layout, attrs.kernel_layout) != ("NCW", "OIW"):
        return None
    value = constant(weight)
    outputs, inputs, taps = shape(weight)
    filters = relax.op.reshape(weight, (outputs, inputs, 1, taps)) if value is None else relax.const(value[:, :, None])
    before, after = _both(attrs.padding)
    conv = relax.op.nn.conv2d(
        context.emit(_image(call.args[0], context)),
        filters,
        (1, ints(attrs.strides)[0]),
        (0, before, 0, after),
        (1, ints(attrs.dilation)[0]),
        int(attrs.groups),
        data_layout="NCHW",
        kernel_layout="OIHW",
    )
    return relax.op.reshape(context.emit(conv), shape(call))


def _pool(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    image, attrs = _lifted(call.args[0], context), call.attrs
    if image is None or attrs.layout != "NCW":
        return None
    before, after = _both(attrs.padding)
    pooled = _POOLS[op_name(call)](
        image,
        (1, ints(attrs.pool_size)[0]),
        (1, ints(attrs.strides)[0]),
        (0, before, 0, after),
        (1, ints(attrs.dilation)[0]),
        bool(attrs.ceil_mode),
        bool(attrs.count_include_pad),
        layout="NCHW",
    )
    return relax.op.reshape(context.emit(pooled), shape(call))


def _elementwise(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    """The operator on images, if its tensors are lifted ones of the result's shape, or constants that broadcast."""
    full = shape(call)
    images = [_lifted(arg, context) for arg in call.args if _is_tensor(arg) and constant(arg) is None]
    if len(full) != 3 or not images or any(image is None or shape(image)[:2] != full[:2] for image in images):
        return None
    if any(shape(image)[3] != full[2] for image in images):
        return None
    operands = [_operand(arg, context) if _is_tensor(arg) else arg for arg in call.args]
    lifted = relax.Call(call.op, operands, call.attrs, call.ty_args)
    return relax.op.reshape(context.emit(lifted), full)


def _is_tensor(arg: relax.Expr) -> bool:
    return isinstance(arg.ty, relax.TensorType)


def _operand(arg: relax.Expr, context: RewriteContext) -> relax.Expr | None:
    value = constant(arg)
    if value is None:
        return _lifted(arg, context)
    row = value if value.ndim < 2 else value.reshape(*value.shape[:-1], 1, value.shape[-1])
    return relax.const(np.ascontiguousarray(row), str(value.dtype))


def _lifted(expr: relax.Expr, context: RewriteContext) -> relax.Expr | None:
    """The image of one row [N, C, 1, W] that ``expr`` [N, C, W] is, None where it is no such thing."""
    call = context.definition(expr)
    if op_name(call) != "relax.reshape" or len(shape(call)) != 3:
        return None
    batch, channels, width = shape(call)
    return call.args[0] if shape(call.args[0]) == (batch, channels, 1, width) else None


def _image(x: relax.Expr, context: RewriteContext) -> relax.Expr:
    image, (batch, channels, width) = _lifted(x, context), shape(x)
    return relax.op.reshape(x, (batch, channels, 1, width)) if image is None else image


def _both(padding: Sequence[Any]) -> tuple[int, int]:
    values = ints(padding)
    return values[0], values[-1]
