"""Tensors of few equally spaced values as codes of a few bits, and the thresholds at which the codes change.

    clip(round(x / s), 0, 3) * s    has the values low + step * code with low = 0, step = s, codes 0 to 3

A code is the number of thresholds that the source reaches: 2^b - 1 comparisons per channel, into which everything
between the source and the values is folded as far as it rises: divisions, batch norms, activations (Umuroglu et al.,
FINN, section 4.2.2). The thresholds are found in the float32 arithmetic that they replace (``constant_pieces``). Where
nothing can be folded, the values themselves are compared with the numbers half-way between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile

import numpy as np
from tvm import relax

from b2nn_tvm.passes.patterns.chain import Chain, chains
from b2nn_tvm.passes.patterns.constant_pieces import constant_pieces
from b2nn_tvm.passes.patterns.float_order import float_of
from b2nn_tvm.relax_query import Definition, dtype, shape

MOST_BITS = 4
_MOST_CHAINS = 16
_TOLERANCE = 1e-4  # of a step: what rounding each value to float32 leaves


@dataclass(frozen=True)
class Levels:
    """Values ``low + step * code`` with codes from 0 to ``codes - 1``."""

    low: float
    step: float
    codes: int

    @property
    def bits(self) -> int:
        return (self.codes - 1).bit_length()

    @property
    def centre(self) -> float:
        """The value that is as far from the lowest as from the highest code of these bits; 0 where it is 0 but for
        rounding.
        """
        centre = self.low + self.step * (2**self.bits - 1) / 2
        return centre if abs(centre) > _TOLERANCE * self.step else 0.0

    def code(self, value: float) -> int | None:
        """The code of a value; None where it is not among the codes of these bits."""
        place = (value - self.low) / self.step
        code = round(place)
        return code if abs(place - code) <= _TOLERANCE and 0 <= code < 2**self.bits else None


def levels_of(values: np.ndarray | None) -> Levels | None:
    """The levels of a tensor with these values, sorted; None where they are not equally spaced or of too many bits.

    Some of the levels may have no value.
    """
    if values is None or not 2 <= len(values) <= 2**MOST_BITS or not np.isfinite(values).all():
        return None
    exact = values.astype(np.float64)
    places = (exact - exact[0]) / np.diff(exact).min()
    codes = np.rint(places)
    if codes[-1] >= 2**MOST_BITS or (np.abs(places - codes) > _TOLERANCE * np.maximum(codes, 1)).any():
        return None
    return Levels(float(exact[0]), float((exact[-1] - exact[0]) / codes[-1]), int(codes[-1]) + 1)


@dataclass(frozen=True, eq=False)
class CodeSteps:
    """The codes of a tensor: how many of the ``thresholds`` [codes - 1, C or 1] ``source`` reaches in its channel. The
    thresholds do not fall; infinite ones are reached always, or never.
    """

    source: relax.Expr
    thresholds: np.ndarray


def code_steps(
    expr: relax.Expr,
    levels: Levels,
    definition: Definition,
    skips: Callable[[relax.Expr], bool],
    *,
    axis: int = -1,
) -> CodeSteps:
    """The steps of a tensor of these levels with its channels on ``axis``, of a source as far before it as ``skips``
    allows to skip values.
    """
    skipping = takewhile(
        lambda chain: all(skips(step.expr) for step in chain.steps[1:] if step.operands),
        islice(chains(expr, definition), _MOST_CHAINS),
    )
    for chain in reversed(list(skipping)):
        if dtype(chain.root) == "float32" and chain.axis in (-1, axis % len(shape(expr))):
            thresholds = _thresholds(chain, levels)
            if thresholds is not None:
                return CodeSteps(chain.root, thresholds)
    middles = levels.low + levels.step * (np.arange(1, levels.codes) - 0.5)
    return CodeSteps(expr, middles.astype(np.float32).reshape(-1, 1))


def _thresholds(chain: Chain, levels: Levels) -> np.ndarray | None:
    pieces = constant_pieces(chain)
    if pieces is None or pieces.values.dtype != np.float32:
        return None
    values = pieces.values[:, 1:-1]  # for finite numbers
    for at_infinity, side in ((pieces.values[:, 0], values[:, 0]), (pieces.values[:, -1], values[:, -1])):
        if ((at_infinity != side) & ~np.isnan(at_infinity)).any():
            return None
    if not np.isfinite(values).all():
        return None
    places = (values.astype(np.float64) - levels.low) / levels.step
    codes = np.rint(places)
    wrong = np.abs(places - codes) > _TOLERANCE * levels.codes
    if wrong.any() or (codes < 0).any() or (codes >= levels.codes).any() or (np.diff(codes, axis=1) < 0).any():
        return None
    rows = np.arange(len(codes))
    thresholds = []
    for code in range(1, levels.codes):
        reached = codes >= code
        first = reached.argmax(axis=1)
        begin = pieces.low[rows, 1 + first]
        if (reached.any(axis=1) & (first > 0) & (begin == 0)).any():
            return None  # it tells -0.0 from +0.0, which no comparison does
        begin = float_of(np.where(begin == -1, 0, begin))  # a threshold of -0.0 is one of +0.0
        begin = np.where(first == 0, np.float32(-np.inf), begin)
        thresholds.append(np.where(reached.any(axis=1), begin, np.float32(np.inf)))
    return np.asarray(thresholds, np.float32)
