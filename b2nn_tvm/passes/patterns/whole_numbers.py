"""Which tensors hold whole numbers of a known range (codes), and which weights are whole numbers times one scale per
output channel.

    clip(round(x / s) + 3, 0, 255)      whole numbers from 0 to 255
    round(clip(x / s, -8, 7))           whole numbers from -8 to 7
    w = q * s[o], q in -128 .. 127      the integers q and the scales s, whichever way the file spelled them

Exporters write quantizers in several ways, and batch norms and biases are folded into what stands around; the values
themselves stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from tvm import relax

from b2nn_tvm.relax_query import Definition, dtype, op_name, uniform

_DEEPEST = 24  # operators behind one another
_ROUNDS: dict[str, Callable[[float], float]] = {
    "relax.round": np.rint,
    "relax.floor": np.floor,
    "relax.ceil": np.ceil,
    "relax.trunc": np.trunc,
}
# Operators whose results are values of their first operand.
MOVES = frozenset({"relax.permute_dims", "relax.reshape", "relax.flatten", "relax.squeeze", "relax.expand_dims"})
_PICKS = MOVES | {"relax.nn.max_pool2d", "relax.strided_slice", "relax.take"}
MOST = 128  # the largest magnitude of an 8-bit weight
_SAMPLE = 64
_INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
# Weights are rounded to float32, and their scales may have been.
_TOLERANCE = 2.0**-21


@dataclass(frozen=True)
class Range:
    """All values of a tensor lie from ``low`` to ``high``; ``whole`` says that they are whole numbers."""

    low: float
    high: float
    whole: bool

    def map(self, function: Callable[[float], float], *, whole: bool) -> Range:
        return Range(float(function(self.low)), float(function(self.high)), whole)


_ANY = Range(-inf, inf, False)


def codes_range(expr: relax.Expr, definition: Definition, *, most: int = 256) -> Range | None:
    """The range of a tensor of at most so many whole numbers; None where that is not known of it."""
    found = _range(expr, definition, _DEEPEST)
    codes = found.whole and isfinite(found.high - found.low) and found.high - found.low < most
    return found if codes else None


def _range(expr: relax.Expr, definition: Definition, deepest: int) -> Range:
    call = definition(expr)
    name = op_name(call)
    if not name or not deepest:
        return _of_type(dtype(call))
    inner = _range(call.args[0], definition, deepest - 1) if call.args else _ANY
    if name in _ROUNDS:
        return inner.map(_ROUNDS[name], whole=True)
    if name == "relax.clip":
        low, high = (float(bound.value) for bound in call.args[1:3])
        whole = inner.whole and low.is_integer() and high.is_integer()
        return inner.map(lambda value: min(max(value, low), high), whole=whole)
    if name == "relax.nn.relu":
        return inner.map(lambda value: max(value, 0.0), whole=inner.whole)
    if name == "relax.astype":
        return _cast(inner, dtype(call))
    if name in _PICKS:
        return inner
    if name in ("relax.add", "relax.subtract", "relax.maximum", "relax.minimum"):
        return _with_number(call, name, definition, deepest)
    return _of_type(dtype(call))


def _cast(inner: Range, kind: str) -> Range:
    """The range of values of ``inner`` in another type: whole numbers that it has stay as they are."""
    if kind.startswith("float"):
        return inner
    limits = np.iinfo(kind) if kind in _INTEGERS else None
    fits = limits is not None and inner.whole and limits.min <= inner.low and inner.high <= limits.max
    return inner if fits else _of_type(kind)


def _of_type(kind: str) -> Range:
    if kind in ("uint8", "int8"):
        limits = np.iinfo(kind)
        return Range(float(limits.min), float(limits.max), True)
    return _ANY


def _with_number(call: relax.Call, name: str, definition: Definition, deepest: int) -> Range:
    """The range of a sum, difference, maximum or minimum of a tensor and one number."""
    numbers = [uniform(definition(arg)) for arg in call.args]
    if (numbers[0] is None) == (numbers[1] is None) or (name == "relax.subtract" and numbers[1] is None):
        return _ANY
    place = 0 if numbers[1] is not None else 1
    number = float(numbers[1 - place])  # type: ignore[arg-type]
    inner = _range(call.args[place], definition, deepest - 1)
    functions: dict[str, Callable[[float], float]] = {
        "relax.add": lambda value: value + number,
        "relax.subtract": lambda value: value - number,
        "relax.maximum": lambda value: max(value, number),
        "relax.minimum": lambda value: min(value, number),
    }
    return inner.map(functions[name], whole=inner.whole and number.is_integer())


def split_whole_weights(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Weights [O, ...] as int8 [O, ...] times float64 scales [O], the least integers that fit; None where a channel's
    weights are no whole numbers from -128 to 127 times one scale within the rounding of float32.
    """
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    if not rows.size or not np.isfinite(rows).all() or (len(rows) > 1 and _split(rows[:1]) is None):
        return None  # the first channel of a float layer tells that it is one
    found = _split(rows)
    return None if found is None else (found[0].reshape(weight.shape), found[1])


def _split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    sample = rows[:, :: max(1, rows.shape[1] // _SAMPLE)]
    top = np.abs(rows).max(axis=1)
    unit = np.where(top, top, 1)
    codes, scales, left = np.zeros(rows.shape, np.int8), np.ones(len(rows)), np.ones(len(rows), bool)
    for most in range(1, MOST + 1):  # the largest magnitude of a channel's integers
        places = np.flatnonzero(left)
        for values in (sample, rows):  # all values of a channel are looked at where some of them fit
            ratio = values[places] * (most / unit[places])[:, None]
            nearest = np.rint(ratio)
            fits = (np.abs(ratio - nearest) <= most * _TOLERANCE).all(axis=1) & (nearest.max(axis=1) < MOST)
            places, nearest = places[fits], nearest[fits]
        squares = (nearest * nearest).sum(axis=1)
        fitted = (nearest * rows[places]).sum(axis=1) / np.where(squares, squares, 1)
        codes[places], scales[places], left[places] = nearest, np.where(squares, fitted, 1), False
        if not left.any():
            return codes, scales
    return None
