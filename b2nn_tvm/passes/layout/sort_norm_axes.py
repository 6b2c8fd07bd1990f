"""Bring the normalizations whose axes a change of layout has reordered back to a form that TVM's kernels compute.

    R.nn.layer_norm(x[N, H, W, C], g[C, H, W], b[C, H, W], axes=[3, 1, 2])
        ->  R.nn.layer_norm(x, g'[H, W, C], b'[H, W, C], axes=[1, 2, 3])
    R.nn.rms_norm(x[N, H, W, C], g[H, W], axes=[1, 2])
        ->  R.permute_dims(R.nn.rms_norm(R.permute_dims(x, [0, 3, 1, 2]), g, axes=[2, 3]), [0, 2, 3, 1])

ConvertLayout renames the axes and leaves scale and shift as they are. The kernel of layer normalization assumes that
the axes are ascending, the kernel of RMS normalization that they are the last ones.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import AXES_FROM_FRONT, NHWC
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls, with_attributes
from b2nn_tvm.relax_query import constant, ints, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="SortNormAxes")
class SortNormAxes(CompilerPass):
    """Sort the axes of layer normalization with its scale and shift; transpose the input and the result of RMS
    normalization.
    """

    requires = (NHWC, AXES_FROM_FRONT)
    ensures = (NHWC,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _sort)


def _sort(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) == "relax.nn.layer_norm":
        return _sort_layer_norm(call, context)
    if op_name(call) == "relax.nn.rms_norm":
        return _move_rms_norm(call, context)
    return None


def _sort_layer_norm(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    axes = ints(call.attrs.axes)
    if list(axes) == sorted(axes):
        return None
    order = [int(place) for place in np.argsort(axes)]
    x, *parameters = call.args
    parameters = [_permute(parameter, order, context) for parameter in parameters]
    return with_attributes(relax.Call(call.op, [x, *parameters], call.attrs), axes=[axes[place] for place in order])


def _move_rms_norm(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    x, weight = call.args
    axes, rank = list(ints(call.attrs.axes)), len(shape(x))
    last = list(range(rank - len(axes), rank))
    if axes == last:
        return None
    order = [axis for axis in range(rank) if axis not in axes] + axes
    moved = context.emit(relax.op.permute_dims(x, order))
    normalized = context.emit(relax.op.nn.rms_norm(moved, weight, last, call.attrs.epsilon))
    return relax.op.permute_dims(normalized, [int(place) for place in np.argsort(order)])


def _permute(expr: relax.Expr, order: list[int], context: RewriteContext) -> relax.Expr:
    value = constant(expr)
    if value is None:
        return context.emit(relax.op.permute_dims(expr, order))
    return relax.const(np.ascontiguousarray(value.transpose(order)), str(value.dtype))
