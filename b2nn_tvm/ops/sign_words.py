"""Compute a word of sign bits by whole vectors: the compare's predicate bits are the packed bits.

A vector compare yields <lanes x i1>, which ``reinterpret`` turns into a word: ``vcmpps`` + ``kmov`` on AVX-512,
``vmovmskps`` on AVX2, ``fcmge`` and a reduction on NEON.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var


def word_of_signs(x: Var, limit: Var, pixel: tuple[Expr, Expr, Expr], first: Expr, *, word: str, count: int) -> Expr:
    """The lowest ``count`` bits of a word: x >= limit of the channels from ``first`` of a pixel, whole vectors where
    they fit, single bits for the rest.
    """
    value, done = None, 0
    while done < count:
        lanes = next((size for size in (32, 16, 8) if done + size <= count and done % size == 0), 1)
        bits = _at_least(x, limit, pixel, first + done, lanes)
        if lanes == 1:
            part = tirx.Select(bits, tirx.const(1, word), tirx.const(0, word))
        else:
            part = tvm.ir.Call("tirx.reinterpret", [bits], ret_ty=f"uint{lanes}")
            part = part if f"uint{lanes}" == word else part.astype(word)
        part = part << tirx.const(done, word) if done else part
        value = part if value is None else value | part
        done += lanes
    return value


def _at_least(x: Var, limit: Var, pixel: tuple[Expr, Expr, Expr], first: Expr, lanes: int) -> Expr:
    """The predicate x >= threshold of ``lanes`` neighbouring channels."""
    if lanes == 1:
        return x[(*pixel, first)] >= limit[first]
    where = T.Ramp(first, 1, lanes)
    return x[(*pixel, where)] >= limit[where]
