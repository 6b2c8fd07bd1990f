"""The elementwise operators: how numpy computes them, and which of them broadcast.

An operand of lower rank, or of size 1 along an axis, serves all values of an operator that broadcasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from b2nn_tvm.relax_query import dtype

BROADCASTING = frozenset(
    {
        *("relax.add", "relax.subtract", "relax.multiply", "relax.divide", "relax.power"),
        *("relax.maximum", "relax.minimum", "relax.where"),
        *("relax.greater", "relax.greater_equal", "relax.less", "relax.less_equal", "relax.equal", "relax.not_equal"),
    }
)

# Operators on any number of operands that numpy rounds just as the kernels do.
EXACT: dict[str, Callable[..., np.ndarray]] = {
    "relax.add": np.add,
    "relax.subtract": np.subtract,
    "relax.multiply": np.multiply,
    "relax.divide": np.divide,
    "relax.maximum": np.maximum,
    "relax.minimum": np.minimum,
    "relax.where": np.where,
    "relax.greater_equal": np.greater_equal,
    "relax.greater": np.greater,
    "relax.less_equal": np.less_equal,
    "relax.less": np.less,
    "relax.equal": np.equal,
    "relax.not_equal": np.not_equal,
    "relax.logical_and": np.logical_and,
    "relax.logical_or": np.logical_or,
    "relax.logical_xor": np.logical_xor,
    "relax.logical_not": np.logical_not,
    "relax.negative": np.negative,
    "relax.abs": np.abs,
    "relax.square": np.square,
    "relax.round": np.rint,
    "relax.floor": np.floor,
    "relax.ceil": np.ceil,
    "relax.trunc": np.trunc,
    "relax.sqrt": np.sqrt,
    "relax.isnan": np.isnan,
    "relax.isinf": np.isinf,
    "relax.isfinite": np.isfinite,
    "relax.nn.relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "relax.sign": lambda x: np.where(x >= 0, 1, -1),  # the marker: +1 at zero
}
# Operators on integers; a cast of floats to integers is made of them, so that large numbers wrap around.
_OF_INTEGERS: dict[str, Callable[..., np.ndarray]] = {
    "relax.bitwise_and": np.bitwise_and,
    "relax.bitwise_or": np.bitwise_or,
    "relax.bitwise_xor": np.bitwise_xor,
    "relax.left_shift": np.left_shift,
    "relax.right_shift": np.right_shift,
    "relax.floor_mod": np.mod,
}
# Rising functions of which libraries differ in the last bits.
ROUNDED: dict[str, Callable[..., np.ndarray]] = {
    "relax.tanh": np.tanh,
    "relax.atan": np.arctan,
    "relax.sinh": np.sinh,
    "relax.asinh": np.arcsinh,
    "relax.erf": np.vectorize(math.erf, otypes=[np.float64]),
    "relax.exp": np.exp,
    "relax.sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relax.nn.softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
}
# An operator that neither rises nor falls, of which libraries differ in the last bits, but not at powers of 1 and -1.
_POWER = {"relax.power": np.power}
_WITH_ATTRIBUTES = ("relax.astype", "relax.clip", "relax.nn.leakyrelu", "relax.nn.prelu")
_DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16", "float32", "float64")


def is_elementwise(name: str, dtype: str) -> bool:
    """Whether ``compute`` can compute a call of the operator ``name`` with a result of this type."""
    if name in _OF_INTEGERS:
        return dtype in _DTYPES and "int" in dtype
    return dtype in _DTYPES and any(name in names for names in (EXACT, ROUNDED, _POWER, _WITH_ATTRIBUTES))


def compute(call: relax.Call, name: str, operands: list[np.ndarray]) -> np.ndarray:
    """The result of an elementwise call for the values ``operands`` of its tensors, in the arithmetic of its type.

    It warns of nothing: overflow and division by zero give infinities and NaN, as in the kernels.
    """
    kind: Any = np.dtype(dtype(call))
    with np.errstate(all="ignore"):
        if name == "relax.clip":
            low, high = (kind.type(bound.value) for bound in call.args[1:3])
            result = np.minimum(np.maximum(operands[0], low), high)
        elif name == "relax.nn.leakyrelu":
            result = np.where(operands[0] > 0, operands[0], operands[0] * kind.type(call.attrs.alpha))
        elif name == "relax.nn.prelu":
            result = np.where(operands[0] > 0, operands[0], operands[0] * operands[1])
        elif name == "relax.astype":
            result = operands[0] != 0 if kind == np.dtype(bool) else operands[0]
        else:
            result = (EXACT | ROUNDED | _POWER | _OF_INTEGERS)[name](*operands)
        return np.asarray(result).astype(kind, copy=False)
