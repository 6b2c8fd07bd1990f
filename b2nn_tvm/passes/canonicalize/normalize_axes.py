"""Count every axis from the front: Relax's ConvertLayout takes a negative axis of some operators for a place in memory.

R.squeeze(x[1, 8, 1, 1], axis=[-1])   ->  R.squeeze(x, axis=[3])
R.sum(x[1, 8, 4, 6], axis=[-3])       ->  R.sum(x, axis=[1])
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import op_name

_AXES = ("axis", "axes", "channel_axis")
_OF_RESULT = ("relax.expand_dims", "relax.stack")  # their axes count the dimensions of the result, not of an operand


@tvm.transform.module_pass(opt_level=0, name="NormalizeAxes")
class NormalizeAxes:
    """Make the negative axes of the operators that ConvertLayout has a rule for non-negative."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _normalize)


def with_attributes(call: relax.Call, **changed: object) -> relax.Call:
    """The call with some of its attributes replaced."""
    info = type(call.attrs).__tvm_ffi_type_info__
    attributes = {field.name: getattr(call.attrs, field.name) for field in info.fields}
    return relax.Call(call.op, call.args, tvm.ir.make_node(info.type_key, **{**attributes, **changed}))


def _normalize(call: relax.Call, _context: RewriteContext) -> relax.Expr | None:
    if call.attrs is None or call.op.get_attr("FRelaxInferLayout") is None:
        return None
    rank = _rank(call if op_name(call) in _OF_RESULT else call.args[0])
    changed = {}
    for name in _AXES:
        value = getattr(call.attrs, name, None)
        if value is None or rank is None:
            continue
        axes = [value] if isinstance(value, int) else list(value)
        if any(int(axis) < 0 for axis in axes):
            counted = [int(axis) % rank for axis in axes]
            changed[name] = counted[0] if isinstance(value, int) else counted
    return with_attributes(call, **changed) if changed else None


def _rank(expr: relax.Expr) -> int | None:
    """The number of dimensions of a tensor, or of the first tensor of a tuple; None where it is not known."""
    kind = expr.ty
    while isinstance(kind, relax.TupleType) and len(kind.fields):
        kind = kind.fields[0]
    rank = getattr(kind, "ndim", -1)
    return rank if rank > 0 else None
