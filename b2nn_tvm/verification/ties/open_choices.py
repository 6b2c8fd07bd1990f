"""Which decisions of a network rounding leaves open: those whose input is within rounding of a threshold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from b2nn_tvm.verification.ties.decisions import COMPARISONS, Decision
from b2nn_tvm.verification.ties.forced_oracle import Computed

TIE = 3e-6  # of the largest magnitude of a sign's input: the rounding error of float32 sums of a few thousand terms
OPEN = 10 * TIE  # the same where products are shared between pixels (Winograd) or a dozen layers lie before
SEVERAL = 4  # times the largest change that random rounding made
SMALLEST = float(np.finfo(np.float32).tiny)  # so that the sign of 0 is open where 0 is rounded


def margins(decisions: Iterable[Decision], computed: Computed, noise: Computed) -> dict[str, float]:
    """How far off the input of each decision may be in a run that ``computed`` this, by the name of its result, where
    random rounding makes this ``noise``.
    """
    found = {}
    for decision in decisions:
        x, threshold = computed.at(decision)
        compared = threshold if decision.op in COMPARISONS else None
        found[decision.result] = max(OPEN * magnitude(x, compared), SEVERAL * magnitude(noise.values[decision.x]))
    return found


def choices_within(decision: Decision, computed: Computed, margin: float) -> dict[int, np.ndarray]:
    """The flat places of a decision's result that are open within ``margin``, and the other result there."""
    return decision.uncertain(*computed.at(decision), computed.values[decision.result], max(SMALLEST, margin))


def magnitude(*values: np.ndarray | None) -> float:
    """The largest finite magnitude."""
    found = [np.abs(number(value[np.isfinite(value)])).max(initial=0.0) for value in values if value is not None]
    return float(max(found, default=0.0))


def number(value: np.ndarray) -> np.ndarray:
    """The values as float64, in which differences of integers and of truths are what they are."""
    return value.astype(np.float64)
