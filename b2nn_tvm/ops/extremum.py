"""Maxima and minima that keep NaN, as in ONNX and in IEEE 754-2019 (maximum, minimum).

TVM's ``max(a, b)`` is b wherever a or b is NaN. So NaN is kept at no cost where one value is known to be a number: it
stands first. On ARM there is one instruction that does all. Elsewhere it takes a comparison and a blend more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import tvm
from tvm import te, tirx
from tvm.tirx import Expr

Extremum = Callable[..., Expr]


def largest(values: Sequence[Expr], numbers: Sequence[Expr] = ()) -> Expr:
    """The maximum of scalars of one type, NaN if one of ``values`` is NaN; ``numbers`` are never NaN."""
    return _extremum(values, numbers, tirx.max, "llvm.maximum")


def smallest(values: Sequence[Expr], numbers: Sequence[Expr] = ()) -> Expr:
    """The minimum of scalars of one type, NaN if one of ``values`` is NaN; ``numbers`` are never NaN."""
    return _extremum(values, numbers, tirx.min, "llvm.minimum")


def _extremum(
    values: Sequence[Expr], numbers: Sequence[Expr], pick: Callable[[Expr, Expr], Expr], intrinsic: str
) -> Expr:
    dtype = str(values[0].ty)
    if not dtype.startswith("float"):
        return reduce(pick, (*values, *numbers))
    if dtype == "float32" and _is_arm():
        operation = tvm.target.codegen.llvm_lookup_intrinsic_id(intrinsic)
        return reduce(
            lambda a, b: tirx.call_intrin(dtype, "tirx.call_llvm_pure_intrin", operation, a, b), (*values, *numbers)
        )
    result = reduce(pick, values)
    if len(values) > 1:
        result = tirx.Select(tirx.any(*map(tirx.isnan, values)), tirx.const(float("nan"), dtype), result)
    return reduce(lambda found, number: pick(number, found), numbers, result)


def _is_arm() -> bool:
    target = tvm.target.Target.current(allow_none=True)
    return target is not None and str(target.attrs.get("mtriple", "")).startswith(("aarch64", "arm"))


def reducer(pick: Extremum) -> Callable[..., Expr]:
    """``largest`` or ``smallest`` along the axes of a reduction: of no values at all it is an infinity, or the limit of
    an integer type.
    """

    def identity(dtype: str) -> Expr:
        if str(dtype).startswith("float"):
            return tirx.const(float("-inf") if pick is largest else float("inf"), dtype)
        return tirx.min_value(dtype) if pick is largest else tirx.max_value(dtype)

    reduction: Callable[..., Expr] = te.comm_reducer(lambda a, b: pick((a, b)), identity, name=pick.__name__)
    return reduction
