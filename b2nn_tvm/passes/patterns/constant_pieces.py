"""Divide the float32 numbers into the intervals on which a chain of elementwise operators is constant.

An interval on which ``monotone`` cannot prove that is cut, where an operator asks for it or where the chain changes,
and both parts are looked at again. The place of a cut is found by bisection in the arithmetic of the chain itself, so
it is exact to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from b2nn_tvm.passes.patterns.chain import Chain
from b2nn_tvm.passes.patterns.float_order import INFINITY, LARGEST, first_where, float_of
from b2nn_tvm.passes.patterns.monotone import CONSTANT, UNKNOWN, Cut, Movement, movement

_MOST_CUTS = 48
_MOST_INTERVALS = 96
_MOST_VALUES = 17
_NARROW, _TINY = 1e-6, 1e-8  # of a threshold's magnitude, and around a threshold of 0
# The operators that can make two values of many.
_TURNING = {
    *("relax.greater_equal", "relax.greater", "relax.less_equal", "relax.less", "relax.equal", "relax.not_equal"),
    *("relax.sign", "relax.round", "relax.floor", "relax.ceil", "relax.trunc", "relax.astype", "relax.divide"),
    *("relax.clip", "relax.maximum", "relax.minimum"),
}
# The codes of a quantizer lie within two decades and a half. Twelve probes to a decade meet more of them than a chain
# may have, and it is given up at once; else each of its cuts would be searched for, which takes minutes for a network.
_PROBES = np.concatenate([[0, 1e-30, 1e-12], np.geomspace(1e-6, 1e6, 145), np.geomspace(1.1e6, 1e38, 8)])


@dataclass(frozen=True, eq=False)
class Pieces:
    """A chain as constants ``values`` [C, K] on intervals of places from ``low`` to ``high`` [C, K], in their order.

    The first and the last interval are -inf and +inf.
    """

    low: np.ndarray
    high: np.ndarray
    values: np.ndarray


def constant_pieces(chain: Chain) -> Pieces | None:
    """The constant pieces of a chain; None where it has too many values or is not proved to be constant in pieces.

    A piece that is as narrow as rounding errors need not be constant if it rises or falls; its value is one end's.
    """
    if not any(step.name in _TURNING for step in chain.steps) or _has_many_values(chain):
        return None
    low = np.array([[-INFINITY - 1, -LARGEST - 1, -1, 0, 1, INFINITY]])
    high = np.array([[-INFINITY - 1, -2, -1, 0, LARGEST, INFINITY]])
    low, high = (np.repeat(ends, chain.channels, axis=0) for ends in (low, high))
    for turn in range(_MOST_CUTS):
        found = movement(chain, float_of(low), float_of(high))
        unsettled = _unsettled(found, low, high)
        if not unsettled.any():
            order = np.argsort(low, axis=1, kind="stable")
            return Pieces(*(np.take_along_axis(ends, order, axis=1) for ends in (low, high, found.low[-1])))
        cut = found.cut or _change(found, unsettled, at_end=turn % 2 == 0)
        if cut is None or low.shape[1] > _MOST_INTERVALS:
            return None
        low, high = _cut(chain, found, cut, low, high)
    return None


def is_narrow(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether intervals of float32 numbers are no wider than what rounding errors make of one number."""
    with np.errstate(all="ignore"):
        return np.asarray(end - begin <= np.maximum(_NARROW * np.maximum(np.abs(begin), np.abs(end)), _TINY))


def _unsettled(found: Movement, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    result = found.directions[-1]
    narrow = is_narrow(float_of(low), float_of(high)) & (result != UNKNOWN) & (not found.few)
    return np.asarray((result != CONSTANT) & ~narrow)


def _change(found: Movement, where: np.ndarray, *, at_end: bool) -> Cut | None:
    """Where a chain that rises or falls comes to its last value, or else where it leaves its first one."""
    if not (np.abs(found.directions[-1][where]) == 1).all():
        return None
    begin, end = found.low[-1], found.high[-1]
    last = len(found.directions) - 1
    if at_end:
        return Cut(where, lambda values: values[-1] == end, last)
    return Cut(where, lambda values: values[-1] != begin, last)


def _cut(chain: Chain, found: Movement, cut: Cut, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The intervals with those of ``cut`` in two; the other channels get the end of theirs once more."""
    at_low = cut.test(found.low)
    reached = lambda places: cut.test(chain.evaluate(float_of(places), cut.last)) != at_low
    first = first_where(reached, np.where(cut.where, low, high), high)
    divided = cut.where & (first > low)
    columns = divided.any(axis=0)
    behind = np.where(divided, first, high)[:, columns], high[:, columns]
    before = low, np.where(divided, first - 1, high)
    low, high = (np.concatenate(parts, axis=1) for parts in zip(before, behind))
    return low, high


def _has_many_values(chain: Chain) -> bool:
    probes = np.concatenate([-_PROBES[::-1], _PROBES]).astype(np.float32)[None]
    values = np.sort(chain.evaluate(np.repeat(probes, chain.channels, axis=0))[-1], axis=1)
    return bool(((values[:, 1:] != values[:, :-1]).sum(axis=1) >= _MOST_VALUES).any())
