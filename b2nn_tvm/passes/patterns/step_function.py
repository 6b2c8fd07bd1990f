"""Recognise a chain of elementwise operators that takes two values: a step at a threshold of the tensor before it.

``where(x >= 0, 1, -1)``, ``2 * cast(x >= 0) - 1``, ``round(clip(x, 0, 1))``, ``x / abs(x)`` and ``clip(1e30 * x, -1,
1)`` are step functions of x. What they are is found from their values (``constant_pieces``): the edges of the pieces
are the thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from tvm import relax

from b2nn_tvm.passes.patterns.chain import Chain, chains
from b2nn_tvm.passes.patterns.constant_pieces import constant_pieces, is_narrow
from b2nn_tvm.passes.patterns.float_order import float_of
from b2nn_tvm.relax_query import Definition, dtype

_MOST_CHAINS = 16
_MOST_FURTHER = 3


@dataclass(frozen=True, eq=False)
class StepFunction:
    """``low`` where source < begin, ``high`` where source >= end, other values between, if there is anything between.

    All arrays are [C], or [1] for all channels; the channels stand on ``axis`` of the source, which is -1 where they
    are alike. ``between`` are the values from ``begin`` to before ``end``, NaN among them.
    """

    source: relax.Expr
    axis: int
    begin: np.ndarray
    end: np.ndarray
    low: np.ndarray
    high: np.ndarray
    between: np.ndarray

    @property
    def threshold(self) -> np.ndarray:
        """The number from which on ``high`` is taken: 0 where it lies between, else ``begin``."""
        return np.where((self.begin <= 0) & (self.end > 0), np.float32(0), self.begin)

    @property
    def exact(self) -> bool:
        """Whether the step has two values everywhere."""
        return bool((self.begin == self.end).all())

    @property
    def narrow(self) -> bool:
        """Whether what lies between is one number, or so few that only rounding ends there."""
        return bool(is_narrow(self.begin, self.end).all())

    @property
    def undefined(self) -> bool:
        """Whether what lies between is no number, as at 0 / 0."""
        return bool(self.between.size and np.isnan(self.between).all())


def step_function(expr: relax.Expr, definition: Definition) -> StepFunction | None:
    """The step function that ``expr`` computes of the nearest float32 tensor before it that is none itself, or None.

    NaN in the source is not considered, and an infinite source counts as a large one where it gives NaN. Where the step
    of the nearest tensor has further values, one of the next tensors may never reach them: as sign(relu(x)) those below
    0.
    """
    found = None
    further = 0
    for chain in _float_chains(expr, definition):
        if found is not None and few_values(found.source, definition) is None:
            if found.exact or further == _MOST_FURTHER:
                break
            further += 1
            exact = _step(chain)
            found = exact if exact is not None and exact.exact else found
            continue
        found = _step(chain) or found
    return found


def few_values(expr: relax.Expr, definition: Definition) -> np.ndarray | None:
    """All values that a chain of elementwise operators takes, sorted; None where they are not proved to be few."""
    for chain in _float_chains(expr, definition):
        if (pieces := constant_pieces(chain)) is not None:
            return np.unique(pieces.values)
    return None


def _float_chains(expr: relax.Expr, definition: Definition) -> Iterator[Chain]:
    return (chain for chain in islice(chains(expr, definition), _MOST_CHAINS) if dtype(chain.root) == "float32")


def _step(chain: Chain) -> StepFunction | None:
    pieces = constant_pieces(chain)
    if pieces is None or pieces.values.dtype != np.float32:
        return None
    values = pieces.values[:, 1:-1]  # for finite numbers
    low, high = values[:, 0], values[:, -1]
    for at_infinity, side in ((pieces.values[:, 0], low), (pieces.values[:, -1], high)):
        if ((at_infinity != side) & ~np.isnan(at_infinity)).any():
            return None
    if not (np.isfinite(low) & np.isfinite(high) & (low != high)).all():
        return None
    before = np.logical_and.accumulate(values == low[:, None], axis=1)
    after = np.logical_and.accumulate((values == high[:, None])[:, ::-1], axis=1)[:, ::-1]
    rows, last = np.arange(len(values)), values.shape[1] - 1
    begin = pieces.low[rows, 1 + before.sum(axis=1)]
    end = pieces.high[rows, 1 + last - after.sum(axis=1)] + 1
    if ((begin == 0) & (end == 0)).any():
        return None  # it tells -0.0 from +0.0, which no comparison does
    # A threshold of -0.0 is one of +0.0.
    begin, end = (float_of(np.where(edge == -1, 0, edge)) for edge in (begin, end))
    return StepFunction(chain.root, chain.axis, begin, end, low, high, values[~before & ~after])
