"""Lower what takes a maximum or minimum of floats so that NaN stays NaN, as ONNX has it; TVM's own lowering loses it.

    R.nn.relu(x), R.maximum(x, y), R.minimum(x, y), R.clip(x, low, high)   ->  call_tir(...)
    R.max(x, axes), R.min(x, axes)                                         ->  call_tir(...)

Integers, for which there is nothing to keep, and scalars are left to TVM. So is max pooling: ONNX does not say what
becomes of NaN there, and onnxruntime keeps it or loses it by its place in the window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax, te, tirx
from tvm.tirx import Expr

from b2nn_tvm.ops.extremum import Extremum, largest, reducer, smallest
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import constant, dtype, ints, op_name, shape

_PAIRS = {"relax.maximum": largest, "relax.minimum": smallest}
_REDUCTIONS = {"relax.max": largest, "relax.min": smallest}


@tvm.transform.module_pass(opt_level=0, name="LowerExtrema")
class LowerExtrema(CompilerPass):
    """Lower R.nn.relu, R.maximum, R.minimum, R.clip, R.max and R.min of floats."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _lower)


def _lower(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    name = op_name(call)
    if name is None or not isinstance(call.ty, relax.TensorType) or not dtype(call).startswith("float"):
        return None
    if name == "relax.nn.relu":
        return context.call_te(_bounded(0.0, None), call.args[0], name="relu")
    if name == "relax.clip":
        low, high = (bound.value for bound in call.args[1:])
        return context.call_te(_bounded(low, high), call.args[0], name="clip")
    if name in _PAIRS:
        return _lower_pair(call, _PAIRS[name], context, name.removeprefix("relax."))
    if name in _REDUCTIONS and 0 not in shape(call.args[0]):
        axes = range(len(shape(call.args[0]))) if call.attrs.axis is None else ints(call.attrs.axis)
        return context.call_te(
            _reduction(_REDUCTIONS[name], [axis % len(shape(call.args[0])) for axis in axes], call.attrs.keepdims),
            call.args[0],
            name=name.removeprefix("relax."),
        )
    return None


def _bounded(low: float | None, high: float | None) -> Callable[[te.Tensor], te.Tensor]:
    def compute(x: te.Tensor) -> te.Tensor:
        def at(*indices: tirx.Var) -> Expr:
            value = x(*indices)
            for pick, bound in ((largest, low), (smallest, high)):
                value = value if bound is None else pick([value], [tirx.const(bound, x.dtype)])
            return value

        return te.compute(x.shape, at, name="bounded")

    return compute


def _lower_pair(call: relax.Call, pick: Extremum, context: RewriteContext, name: str) -> relax.Expr | None:
    a, b = call.args
    if constant(a) is not None and constant(b) is None:
        a, b = b, a
    value = constant(b)
    if len(shape(a)) == 0:
        return None
    known, out = value is not None and not np.isnan(value).any(), shape(call)
    if known and value is not None and value.ndim == 0:
        number = float(value)
        return context.call_te(
            lambda x: te.compute(x.shape, lambda *at: pick([x(*at)], [tirx.const(number, x.dtype)]), name=name),
            a,
            name=name,
        )

    def compute(x: te.Tensor, y: te.Tensor) -> te.Tensor:
        def at(*indices: tirx.Var) -> Expr:
            first, second = _broadcast(x, indices), _broadcast(y, indices)
            return pick([first], [second]) if known else pick([first, second])

        return te.compute(out, at, name=name)

    return context.call_te(compute, a, b, name=name)


def _broadcast(x: te.Tensor, indices: tuple[tirx.Var, ...]) -> Expr:
    own = indices[len(indices) - len(x.shape) :]
    return x(*(0 if int(extent) == 1 else index for extent, index in zip(x.shape, own, strict=True)))


def _reduction(pick: Extremum, axes: list[int], keepdims: bool) -> Callable[[te.Tensor], te.Tensor]:
    def compute(x: te.Tensor) -> te.Tensor:
        reduced = {axis: te.reduce_axis((0, x.shape[axis]), name=f"k{axis}") for axis in axes}
        kept = [axis for axis in range(len(x.shape)) if axis not in reduced]
        out = [1 if axis in reduced else x.shape[axis] for axis in range(len(x.shape)) if keepdims or axis in kept]

        def at(*indices: tirx.Var) -> Expr:
            place = dict(zip(range(len(x.shape)) if keepdims else kept, indices))
            values = x(*(reduced.get(axis, place.get(axis)) for axis in range(len(x.shape))))
            return reducer(pick)(values, axis=list(reduced.values())) if reduced else values

        return te.compute(out, at, name=pick.__name__)

    return compute
