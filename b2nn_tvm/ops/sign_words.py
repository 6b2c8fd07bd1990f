"""Compute a word of sign bits, or of bits of codes, by whole vectors: the compare's predicate bits are the packed bits.

A vector compare yields <lanes x i1>, which ``reinterpret`` turns into a word: ``vcmpps`` + ``kmov`` on AVX-512,
``vmovmskps`` on AVX2, ``fcmge`` and a reduction on NEON.
"""

from __future__ import annotations

from functools import reduce
from itertools import zip_longest

import tvm
from tvm import te, tirx
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var


def word_of_signs(
    x: Var, limit: Var, pixel: tuple[Expr, Expr, Expr], first: Expr, *, word: str, count: int, plane: int = 0
) -> Expr:
    """The lowest ``count`` bits of a word: x >= limit of the channels from ``first`` of a pixel, whole vectors where
    they fit, single bits for the rest.

    With a ``limit`` [T, C] a bit is bit ``plane`` of a code, the number of thresholds that x reaches: ``reached``.
    """
    value, done = None, 0
    while done < count:
        lanes = next((size for size in (32, 16, 8) if done + size <= count and done % size == 0), 1)
        bits = _at_least(x, limit, pixel, first + done, lanes, plane)
        if lanes == 1:
            part = tirx.Select(bits, tirx.const(1, word), tirx.const(0, word))
        else:
            part = tvm.ir.Call("tirx.reinterpret", [bits], ret_ty=f"uint{lanes}")
            part = part if f"uint{lanes}" == word else part.astype(word)
        part = part << tirx.const(done, word) if done else part
        value = part if value is None else value | part
        done += lanes
    return value


def _at_least(x: Var, limit: Var, pixel: tuple[Expr, Expr, Expr], first: Expr, lanes: int, plane: int) -> Expr:
    """The predicate x >= threshold of ``lanes`` neighbouring channels."""
    where = first if lanes == 1 else T.Ramp(first, 1, lanes)
    return reached(x[(*pixel, where)], limit, where, plane)


def reached(value: Expr, limit: Var | te.Tensor, channel: Expr, plane: int = 0) -> Expr:
    """Whether ``value`` lies at or above the threshold of its channel, where ``limit`` is [C].

    With T thresholds of each channel, [T, C], that do not fall, it is bit ``plane`` of the number of thresholds
    reached: it is set by the first of every 2^plane-th threshold, cleared by the second, set by the third, and so on.
    """
    shape = limit.shape if isinstance(limit, te.Tensor) else limit.ty.shape
    if len(shape) == 1:
        return value >= limit[channel]
    turns = range(2**plane - 1, int(shape[0]), 2**plane)
    parts = []
    for begin, end in zip_longest(turns[::2], turns[1::2]):
        part = value >= limit[begin, channel]
        parts.append(part if end is None else tirx.And(part, tirx.Not(value >= limit[end, channel])))
    return reduce(tirx.Or, parts)
