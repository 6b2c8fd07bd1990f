"""The axes in the attributes of the operators that Relax's ConvertLayout has a rule for."""

from __future__ import annotations

from collections.abc import Iterator

from tvm import relax

from b2nn_tvm.relax_query import op_name

_AXES = ("axis", "axes", "channel_axis")
_OF_RESULT = ("relax.expand_dims", "relax.stack")  # their axes count the dimensions of the result, not of an operand


def negative_axes(call: relax.Call) -> Iterator[tuple[str, list[int] | int]]:
    """The attributes of an operator's call that count an axis from the end, with the same axes counted from the
    front.
    """
    if not op_name(call) or call.attrs is None or call.op.get_attr("FRelaxInferLayout") is None:
        return
    rank = _rank(call if op_name(call) in _OF_RESULT else call.args[0])
    for name in _AXES:
        value = getattr(call.attrs, name, None)
        if value is None or rank is None:
            continue
        axes = [int(axis) for axis in ([value] if isinstance(value, int) else value)]
        if min(axes, default=0) < 0:
            counted = [axis % rank for axis in axes]
            yield name, counted[0] if isinstance(value, int) else counted


def _rank(expr: relax.Expr) -> int | None:
    """The number of dimensions of a tensor, or of the first tensor of a tuple; None where it is not known."""
    kind = expr.ty
    while isinstance(kind, relax.TupleType) and len(kind.fields):
        kind = kind.fields[0]
    rank = getattr(kind, "ndim", -1)
    return rank if rank > 0 else None
