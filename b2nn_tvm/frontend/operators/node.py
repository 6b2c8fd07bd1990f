"""What a converter sees of a node: its inputs and attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm import relax

Inputs = Sequence[relax.Expr]  # of a node; None stands for an optional input that is left out
Attrs = dict[str, Any]
# The result of a node, or None where TVM's own converter is to go on.
Converter = Callable[[relax.BlockBuilder, Inputs, Attrs], "relax.Expr | None"]


def given(inputs: Inputs, place: int) -> relax.Expr | None:
    """The input at ``place``, None where the node leaves it out."""
    return inputs[place] if len(inputs) > place else None


def sizes(expr: relax.Expr) -> list[int]:
    """The static shape of an input."""
    return [int(extent) for extent in expr.ty.shape]


def dtype_of(expr: relax.Expr) -> str:
    """The element type of an input."""
    return str(expr.ty.dtype)


def word(attrs: Attrs, name: str, default: str) -> str:
    """An attribute that is a text."""
    value = attrs.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def const(value: object, dtype: str = "") -> relax.Expr:
    """A constant of this type, by default of the value's own; relax.const alone would make int32 of int64."""
    array = np.asarray(value, dtype or None)
    return relax.const(array, str(array.dtype))
