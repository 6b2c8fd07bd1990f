"""Which tensors hold whole numbers of a known range (codes), and which weights are whole numbers times one scale per
output channel.

    clip(round(x / s) + 3, 0, 255)      whole numbers from 0 to 255
    round(clip(x / s, -8, 7))           whole numbers from -8 to 7
    sum(astype(x >= t[255]))            whole numbers from 0 to 255
    w = q * s[o], q in -128 .. 127      the integers q and the scales s, whichever way the file spelled them

Exporters write quantizers in several ways, and batch norms and biases are folded into what stands around; the values
themselves stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, prod

import numpy as np
from tvm import relax

from b2nn_tvm.relax_query import Definition, dtype, op_name, shape, uniform

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
    found = _Ranges(definition).of(expr, _DEEPEST)
    codes = found.whole and isfinite(found.high - found.low) and found.high - found.low < most
    return found if codes else None


class _Ranges:
    """The ranges of the tensors of a function, each found once."""

    def __init__(self, definition: Definition):
        self._definition = definition
        self._found: dict[tuple[relax.Expr, int], Range] = {}

    def of(self, expr: relax.Expr, deepest: int) -> Range:
        key = self._definition(expr), deepest
        if key not in self._found:
            self._found[key] = self._range(*key)
        return self._found[key]

    def _range(self, call: relax.Expr, deepest: int) -> Range:
        name = op_name(call)
        if not name or not deepest:
            return _of_type(dtype(call))
        if name in ("relax.add", "relax.subtract", "relax.maximum", "relax.minimum"):
            return self._of_pair(call, name, deepest - 1)
        inner = self.of(call.args[0], deepest - 1) if call.args else _ANY
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
        if name == "relax.sum" and shape(call) and inner.high < inf:
            terms = prod(shape(call.args[0])) // max(prod(shape(call)), 1)
            return inner.map(lambda value: value * terms, whole=inner.whole)
        return inner if name in _PICKS else _of_type(dtype(call))

    def _of_pair(self, call: relax.Call, name: str, deepest: int) -> Range:
        """The range of a tensor and one number, or of a sum of two tensors."""
        numbers = [uniform(self._definition(arg)) for arg in call.args]
        if name == "relax.add" and numbers == [None, None]:
            one, other = (self.of(arg, deepest) for arg in call.args)
            return Range(one.low + other.low, one.high + other.high, one.whole and other.whole)
        if (numbers[0] is None) == (numbers[1] is None) or (name == "relax.subtract" and numbers[1] is None):
            return _ANY
        place = 0 if numbers[1] is not None else 1
        number = float(numbers[1 - place])  # type: ignore[arg-type]
        inner = self.of(call.args[place], deepest)
        functions: dict[str, Callable[[float], float]] = {
            "relax.add": lambda value: value + number,
            "relax.subtract": lambda value: value - number,
            "relax.maximum": lambda value: max(value, number),
            "relax.minimum": lambda value: min(value, number),
        }
        return inner.map(functions[name], whole=inner.whole and number.is_integer())


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
    return Range(0.0, 1.0, True) if kind == "bool" else _ANY


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
