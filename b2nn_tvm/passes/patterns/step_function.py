"""Recognise a chain of elementwise operators that takes two values: a step at a threshold of the tensor before it.

``where(x >= 0, 1, -1)``, ``2 * cast(x >= 0) - 1``, ``round(clip(x, 0, 1))``, ``x / abs(x)`` and ``clip(sign(x), -1, 1)``
are all step functions of x. What they are is found from their values: the float32 numbers are divided into intervals on
which the chain is proved to be constant (``monotone``), and the edges of these intervals, where they are exact to the
last bit, are the thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
from tvm import relax

from b2nn_tvm.passes.patterns.chain import Chain, chains
from b2nn_tvm.passes.patterns.float_order import INFINITY, LARGEST, first_where, float_of
from b2nn_tvm.passes.patterns.monotone import CONSTANT, UNKNOWN, movement
from b2nn_tvm.relax_query import Definition, dtype

_ROUNDS = 48  # of cutting intervals
_MOST_INTERVALS = 96
_MOST_VALUES = 12
_MOST_CHAINS = 16
_NARROW, _TINY = 1e-6, 1e-8  # of a threshold's magnitude, and around a threshold of 0
# The operators that can make two values of many.
_TURNING = {
    *("relax.greater_equal", "relax.greater", "relax.less_equal", "relax.less", "relax.equal", "relax.not_equal"),
    *("relax.sign", "relax.round", "relax.floor", "relax.ceil", "relax.trunc", "relax.astype", "relax.divide"),
    *("relax.clip", "relax.maximum", "relax.minimum"),
}
_PROBES = np.concatenate([[0, 1e-30, 1e-12, 1e-6, 0.01, 0.24, 0.26, 0.4, 0.6, 0.9], np.geomspace(1.1, 1e38, 16)])


@dataclass(frozen=True, eq=False)
class StepFunction:
    """``low`` where source < begin, ``high`` where source >= end, other values between, if there is anything between.

    All arrays are [C], or [1] for all channels; the channels stand on ``axis`` of the source, which is -1 where they are
    alike. ``between`` [C, K] are the values from ``begin`` to before ``end``; NaN stands for no further value.
    """

    source: relax.Expr
    axis: int
    begin: np.ndarray
    end: np.ndarray
    low: np.ndarray
    high: np.ndarray
    between: np.ndarray
    undefined: bool

    @property
    def exact(self) -> bool:
        """Whether the step has two values everywhere."""
        return bool((self.begin == self.end).all())

    @property
    def narrow(self) -> bool:
        """Whether what lies between is one number, or so few that only rounding ends there."""
        return bool(_is_narrow(self.begin, self.end).all())


def step_function(expr: relax.Expr, definition: Definition) -> StepFunction | None:
    """The step function that ``expr`` computes of the nearest float32 tensor before it that is none itself, or None.

    NaN in the source is not considered, and an infinite source counts as a large one where it gives NaN.
    """
    found = None
    for chain in islice(chains(expr, definition), _MOST_CHAINS):
        if dtype(chain.root) != "float32":
            continue
        if found is not None and not _takes_few_values(found.source, definition):
            break
        step = _step(chain)
        found = step if step is not None else found
    return found


def values_of(chain: Chain) -> np.ndarray | None:
    """All values that a chain takes; None where they are many, or not proved to be few."""
    pieces = _pieces(chain)
    return None if pieces is None else np.unique(pieces.values)


def _takes_few_values(expr: relax.Expr, definition: Definition) -> bool:
    near = islice(chains(expr, definition), _MOST_CHAINS)
    return any(dtype(chain.root) == "float32" and _pieces(chain) is not None for chain in near)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """A chain as constants ``values`` [C, K] on intervals of places from ``low`` to ``high`` [C, K], in their order."""

    low: np.ndarray
    high: np.ndarray
    values: np.ndarray


def _pieces(chain: Chain) -> _Pieces | None:
    """The constant pieces of a chain; None where it has too many values or is not proved to be constant in pieces.

    A piece that is as narrow as rounding errors need not be constant if it rises or falls; its value is one end's.
    """
    if not any(step.name in _TURNING for step in chain.steps) or _has_many_values(chain):
        return None
    low = np.array([[-INFINITY - 1, -LARGEST - 1, -1, 0, 1, INFINITY]])
    high = np.array([[-INFINITY - 1, -2, -1, 0, LARGEST, INFINITY]])
    low, high = (np.repeat(ends, chain.channels, axis=0) for ends in (low, high))
    for turn in range(_ROUNDS):
        found = movement(chain, float_of(low), float_of(high))
        result = found.directions[-1]
        narrow = _is_narrow(float_of(low), float_of(high)) & (result != UNKNOWN) & (not found.few)
        where, test, last = (result != CONSTANT) & ~narrow, None, len(chain.steps) - 1
        if not where.any():
            order = np.argsort(low, axis=1, kind="stable")
            return _Pieces(*(np.take_along_axis(ends, order, axis=1) for ends in (low, high, found.low[-1])))
        if found.cut is not None:
            where, test, last = found.cut.where, found.cut.test, found.cut.last
        elif (np.abs(result[where]) == 1).all():
            begin, end = found.low[-1], found.high[-1]
            # In turn, where it leaves its first value and where it comes to its last one.
            test = (lambda values: values[-1] != begin) if turn % 2 else (lambda values: values[-1] == end)
        if test is None or low.shape[1] > _MOST_INTERVALS:
            return None
        at_low = test(found.low)
        reached = lambda places: test(chain.evaluate(float_of(places), last)) != at_low
        first = first_where(reached, np.where(where, low, high), high)
        cut = where & (first > low)
        columns = cut.any(axis=0)
        low = np.concatenate([low, np.where(cut, first, high)[:, columns]], axis=1)
        high = np.concatenate([np.where(cut, first - 1, high), high[:, columns]], axis=1)
    return None


def _is_narrow(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return end - begin <= np.maximum(_NARROW * np.maximum(np.abs(begin), np.abs(end)), _TINY)


def _has_many_values(chain: Chain) -> bool:
    probes = np.concatenate([-_PROBES[::-1], _PROBES]).astype(np.float32)[None]
    values = np.sort(chain.evaluate(np.repeat(probes, chain.channels, axis=0))[-1], axis=1)
    return bool(((values[:, 1:] != values[:, :-1]).sum(axis=1) >= _MOST_VALUES).any())


def _step(chain: Chain) -> StepFunction | None:
    pieces = _pieces(chain)
    if pieces is None or pieces.values.dtype != np.float32:
        return None
    values, inside = pieces.values, np.abs(float_of(pieces.low)) < np.inf
    inside &= np.abs(float_of(pieces.high)) < np.inf
    low, high = (values[:, column] for column in (1, -2))
    ends = (values[:, 0], values[:, -1])
    if any(((end != side) & ~np.isnan(end)).any() for end, side in zip(ends, (low, high))):
        return None
    if not (np.isfinite(low) & np.isfinite(high) & (low != high)).all():
        return None
    before, after = np.logical_and.accumulate(values[:, 1:-1] == low[:, None], axis=1), None
    after = np.logical_and.accumulate((values[:, 1:-1] == high[:, None])[:, ::-1], axis=1)[:, ::-1]
    count = before.sum(axis=1)
    rows = np.arange(len(values))
    begin = pieces.low[rows, 1 + count]
    end = pieces.high[rows, np.where(after.any(axis=1), values.shape[1] - 2 - after.sum(axis=1), 0)] + 1
    if ((begin == 0) & (end == 0)).any():
        return None  # it tells -0.0 from +0.0
    middle = ~before & ~after
    between = np.where(middle, values[:, 1:-1], np.nan)
    undefined = bool(np.isnan(values[:, 1:-1][middle]).all()) and bool(middle.any())
    begin, end = (np.where(edge == -1, 0, edge) for edge in (begin, end))
    return StepFunction(chain.root, chain.axis, float_of(begin) + 0, float_of(end) + 0, low, high, between, undefined)
