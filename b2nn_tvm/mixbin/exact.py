"""Exact selection: minimize the sum of harms over the chosen layers, subject to cost(chosen) <= limit.

Up to 20 layers all subsets are enumerated, also with pairwise terms; then dynamic programming solves whole costs,
and scipy's HiGHS the rest. Whatever solved it, the answer is checked with the cost's own arithmetic, since a solver's
tolerance may pass a choice that is just over the limit (scipy issue 22812).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from b2nn_tvm.cost import AdditiveCost, Number
from b2nn_tvm.errors import BudgetError, InputError

ENUMERATED_LAYERS = 20  # a million subsets: tens of megabytes, a fraction of a second
TABLE_CELLS = 50_000_000  # of the dynamic program: one byte each


def solve(
    harms: Mapping[str, float], cost: AdditiveCost, limit: Number, pairwise: Mapping[tuple[str, str], float]
) -> tuple[tuple[str, ...], float]:
    """The chosen names, and how far their harm may be above the optimum: 0 where proven.

    ``harms`` names the layers that may be binarized. Where subsets are enumerated, one of least cost is taken of those
    with equal harm. Raises InputError for pairwise terms over more than 20 layers.
    """
    if len(harms) <= ENUMERATED_LAYERS:
        return _enumerate(harms, cost, limit, pairwise), 0.0
    if pairwise:
        raise InputError(
            f"pairwise terms are solved for at most {ENUMERATED_LAYERS} layers, but {len(harms)} can be binarized; "
            "leave the terms out"
        )
    whole = _whole_savings(harms, cost, limit)
    if whole is not None:
        return _dynamic_program(harms, *whole), 0.0
    return _mixed_integer(harms, cost, limit)


def _enumerate(
    harms: Mapping[str, float], cost: AdditiveCost, limit: Number, pairwise: Mapping[tuple[str, str], float]
) -> tuple[str, ...]:
    names = list(harms)
    terms = np.zeros((len(names), len(names)))
    for (one, other), term in pairwise.items():
        if one in harms and other in harms:
            low, high = sorted((names.index(one), names.index(other)))
            terms[high, low] += term
    harm = np.zeros(1)
    for index, name in enumerate(names):  # subset number = sum of 2^index over its members
        harm = np.concatenate([harm, harm + harms[name] + _subset_sums(terms[index, :index])])
    saving = _subset_sums(np.array([float(cost.saving(name)) for name in names]))
    need = float(Fraction(cost.full) - Fraction(limit))
    tolerance = 1e-9 * max(1.0, float(cost.full))
    possible = np.flatnonzero(saving >= need - tolerance)
    for subset in possible[np.lexsort((-saving[possible], harm[possible]))]:
        chosen = tuple(name for index, name in enumerate(names) if subset >> index & 1)
        if cost.total(chosen) <= limit:
            return chosen
    raise BudgetError(f"no subset of the layers costs at most {float(limit):.6g} {cost.unit}")


def _subset_sums(values: np.ndarray) -> np.ndarray:
    """The sum over every subset, in the order of subset numbers."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _whole_savings(harms: Mapping[str, float], cost: AdditiveCost, limit: Number) -> tuple[dict[str, int], int] | None:
    """Savings and the needed saving as small integers, or None where they are none or the table would be too large."""
    exact = {name: cost.saving(name) for name in harms}
    if any(isinstance(value, float) for value in (*exact.values(), cost.full)):
        return None
    need = Fraction(cost.full) - Fraction(limit)
    scale = math.lcm(*(Fraction(value).denominator for value in exact.values()))
    savings = {name: int(value * scale) for name, value in exact.items()}
    divisor = math.gcd(*savings.values())
    steps = max(0, math.ceil(need * scale / divisor))
    if (steps + 1) * len(harms) > TABLE_CELLS:
        return None
    return {name: value // divisor for name, value in savings.items()}, steps


def _dynamic_program(harms: Mapping[str, float], savings: Mapping[str, int], need: int) -> tuple[str, ...]:
    """best[s] = least harm with which the layers so far save s, where s = need stands for need and more."""
    best = np.full(need + 1, np.inf)
    best[0] = 0.0
    taken = np.zeros((len(harms), need + 1), dtype=bool)
    full_from = []  # per layer, the state from which taking it best reaches s = need
    for row, (name, harm) in enumerate(harms.items()):
        step = min(savings[name], need)
        reached = np.full(need + 1, np.inf)
        reached[step:] = best[: need + 1 - step] + harm
        full_from.append(need - step + int(best[need - step :].argmin()))
        reached[need] = best[full_from[row]] + harm
        taken[row] = reached < best
        best = np.minimum(best, reached)
    chosen, state = [], need
    for row, name in reversed(list(enumerate(harms))):
        if taken[row, state]:
            chosen.append(name)
            state = full_from[row] if state == need else state - savings[name]
    return tuple(reversed(chosen))


def _mixed_integer(harms: Mapping[str, float], cost: AdditiveCost, limit: Number) -> tuple[tuple[str, ...], float]:
    from scipy.optimize import Bounds, LinearConstraint, milp

    savings = np.array([float(cost.saving(name)) for name in harms])
    need = float(Fraction(cost.full) - Fraction(limit))
    margin = 0.0
    while True:
        found = milp(
            np.array(list(harms.values())),
            integrality=np.ones(len(harms)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(savings[None, :], lb=need + margin),
            options={"time_limit": 60, "mip_rel_gap": 0},
        )
        if found.x is None:  # the last layers to make it: binarize all that pay
            return tuple(harms), math.inf
        chosen = tuple(name for name, value in zip(harms, found.x, strict=True) if value > 0.5)
        if cost.total(chosen) <= limit:
            return chosen, max(0.0, float(found.fun) - float(found.mip_dual_bound))
        margin = max(2 * margin, 1e-9 * float(cost.full))  # the solver's tolerance let it slip over: ask for more
