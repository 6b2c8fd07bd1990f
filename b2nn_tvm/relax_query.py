"""Read a Relax function without changing it: the bindings and readers of its variables, the values of its constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import GenericConst

Definition = Callable[[relax.Expr], relax.Expr]

# The element types that TVM can hand to numpy without a copy; numpy itself does not have the others, such as bfloat16.
_WITHOUT_COPY = {
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}


def definitions(function: relax.Function) -> Definition:
    """The same look-up as ``RewriteContext.definition``, for a finished function."""
    bound = relax.analysis.get_var2val(function)

    def definition(expr: relax.Expr) -> relax.Expr:
        while isinstance(expr, relax.Var) and expr in bound:
            expr = bound[expr]
        return expr

    return definition


def calls(function: relax.Function) -> Iterator[tuple[relax.Var, relax.Call]]:
    """The bound calls of a function in order."""
    for block in function.body.blocks:
        for binding in block.bindings:
            if isinstance(binding, relax.VarBinding) and isinstance(binding.value, relax.Call):
                yield binding.var, binding.value


def reads(function: relax.Function) -> Counter[relax.Var]:
    """The number of reads of each variable of a function, including reads in tuples and as the result."""
    found: Counter[relax.Var] = Counter(variables(function.body.body))
    for block in function.body.blocks:
        for binding in block.bindings:
            found.update(variables(binding.value))
    return found


def variables(expr: relax.Expr) -> Iterator[relax.Var]:
    """The variables that an expression is made of."""
    if isinstance(expr, relax.Var):
        yield expr
    parts = expr.args if isinstance(expr, relax.Call) else expr.fields if isinstance(expr, relax.Tuple) else ()
    for part in parts:
        yield from variables(part)


def op_name(expr: relax.Expr) -> str:
    """ "relax.nn.conv2d" for a call of that operator, "" for everything that is no operator call."""
    return expr.op.name if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op) else ""


def constant(expr: relax.Expr) -> np.ndarray | None:
    """The value of a constant, which can only be read, None for everything else."""
    if not isinstance(expr, GenericConst):
        return None
    tensor = expr.value
    # An array that is no copy shows the memory of the constant, and keeps it alive.
    value: np.ndarray = np.from_dlpack(tensor) if str(tensor.dtype) in _WITHOUT_COPY else tensor.numpy()
    value.flags.writeable = False
    return value


def uniform(expr: relax.Expr) -> np.generic | None:
    """The one value that all elements of a constant share; None where they differ or there is no element."""
    value = constant(expr)
    if value is None or value.size == 0:
        return None
    first = value.reshape(-1)[0]
    return first if bool((value == first).all()) else None


def shape(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of a tensor expression; () where its shape is not static."""
    dims = getattr(expr.ty, "shape", None)
    if dims is None or not all(isinstance(d, tvm.tirx.IntImm) for d in dims):
        return ()
    return tuple(int(d) for d in dims)


def dtype(expr: relax.Expr) -> str:
    """The element type, "float32" for example."""
    return str(getattr(expr.ty, "dtype", ""))


def per_channel(value: np.ndarray, rank: int, axis: int = 1) -> bool:
    """Whether ``value`` broadcasts against a tensor of this rank along its channel axis only."""
    full = (1,) * (rank - value.ndim) + value.shape
    return len(full) == rank and all(d == 1 for i, d in enumerate(full) if i != axis)


def ints(values: Sequence[Any]) -> tuple[int, ...]:
    """The integers of an operator's attribute."""
    return tuple(int(v) for v in values)


def pair(values: Sequence[Any]) -> tuple[int, int]:
    """The two integers of an attribute, (height, width)."""
    height, width = ints(values)
    return height, width


def four(values: Sequence[Any]) -> tuple[int, int, int, int]:
    """The four integers of an attribute or a shape, (top, left, bottom, right) for example."""
    first, second, third, fourth = ints(values)
    return first, second, third, fourth
