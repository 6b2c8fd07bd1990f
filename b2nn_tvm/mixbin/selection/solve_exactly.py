"""Exact selection: minimize the sum of harms over the chosen layers, subject to cost(chosen) <= limit for each limit.

The names to choose from are layers that become binary, or options of layers (costs/options.py), of which a choice has
at most one for each layer: a multiple-choice knapsack.

Up to 20 names, all subsets are enumerated. With more, dynamic programming solves a single cost in whole numbers
without transitions, and mixed integer programming everything else. Every answer is checked with the costs' own
arithmetic, and comes with a bound: no choice within the limits has less harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from b2nn_tvm.costs.footprint import refill
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.costs.precisions import room
from b2nn_tvm.mixbin.selection.limits import Limit, none_keeps
from b2nn_tvm.mixbin.selection.mixed_integer import mixed_integer

ENUMERATED_LAYERS = 20  # a million subsets: tens of megabytes, a fraction of a second
TABLE_CELLS = 50_000_000  # of the dynamic program: one byte each
FIRST = 64  # subsets that are put in order first: most often the best is among them

Terms = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Solution:
    """The chosen names; no choice within the limits, but for better ones before it, has less harm than ``bound``."""

    chosen: tuple[str, ...]
    bound: float


def solve(
    harms: Mapping[str, float],
    limits: Sequence[Limit],
    pairwise: Terms,
    *,
    count: int = 1,
    known: tuple[str, ...] | None = None,
) -> tuple[Solution, ...]:
    """The ``count`` best choices, or as many as there are, the best first; ``harms`` names the layers to choose from.

    ``pairwise`` terms add to the harm of a choice that has both layers. Where subsets are enumerated, the one of
    equally harmful choices that is the cheapest under the first limit comes first. ``known`` is a choice within the
    limits, for where time runs out before another one is found. Raises BudgetError where no choice
    is within the limits.
    """
    terms = {pair: term for pair, term in pairwise.items() if set(pair) <= set(harms)}
    if len(harms) <= ENUMERATED_LAYERS:
        return _enumerate(harms, limits, terms, count)
    whole = _whole_savings(harms, limits[0]) if (count, len(limits)) == (1, 1) and not terms else None
    if whole is not None:
        chosen = _dynamic_program(harms, *whole)
        return (Solution(chosen, harm_of(chosen, harms, terms)),)
    found: list[Solution] = []
    while len(found) < count:
        answer = mixed_integer(harms, limits, terms, without=[one.chosen for one in found], known=known)
        if answer is None:
            break
        found.append(Solution(*answer))
    if not found:
        raise none_keeps(limits)
    return tuple(found)


def harm_of(chosen: tuple[str, ...], harms: Mapping[str, float], pairwise: Terms) -> float:
    """The harm of a choice: the sum of its layers' harms and of the terms of its pairs."""
    pairs = [term for pair, term in pairwise.items() if set(pair) <= set(chosen)]
    return math.fsum([harms[name] for name in chosen] + pairs)


def _enumerate(
    harms: Mapping[str, float], limits: Sequence[Limit], pairwise: Terms, count: int
) -> tuple[Solution, ...]:
    names = list(harms)
    terms = np.zeros((len(names), len(names)))
    for (one, other), term in pairwise.items():
        low, high = sorted((names.index(one), names.index(other)))
        terms[high, low] += term
    harm = np.zeros(1)
    for index, name in enumerate(names):  # subset number = sum of 2^index over its members
        harm = np.concatenate([harm, harm + harms[name] + _subset_sums(terms[index, :index])])
    costs = [_subset_costs(names, limit) for limit in limits]
    possible = _one_per_layer(names)
    for cost, limit in zip(costs, limits, strict=True):
        tolerance = 1e-9 * max(1.0, float(limit.cost.full))  # of the sums in doubles; what is near is added up exactly
        possible &= cost <= float(limit.value) + tolerance
    found: list[Solution] = []
    for subset in _best_first(np.flatnonzero(possible), harm, costs[0]):
        chosen = tuple(name for index, name in enumerate(names) if subset >> index & 1)
        if all(limit.keeps(chosen) for limit in limits):
            found.append(Solution(chosen, harm_of(chosen, harms, pairwise)))
            if len(found) == count:
                break
    if not found:
        raise none_keeps(limits)
    return tuple(found)


def _one_per_layer(names: Sequence[str]) -> np.ndarray:
    """Whether a subset has at most one option of each layer, in the order of subset numbers."""
    numbers = np.arange(1 << len(names))
    possible = np.ones(len(numbers), dtype=bool)
    masks: dict[str, int] = {}
    for index, name in enumerate(names):
        masks[layer_of(name)] = masks.get(layer_of(name), 0) | 1 << index
    for mask in masks.values():
        if mask.bit_count() > 1:
            chosen = numbers & mask
            possible &= chosen & (chosen - 1) == 0
    return possible


def _best_first(subsets: np.ndarray, harm: np.ndarray, cost: np.ndarray) -> Iterator[int]:
    """The subsets by ascending harm, and by ascending cost among equals; the many behind the first are rarely asked
    for.
    """
    if len(subsets) > FIRST:
        split = np.partition(harm[subsets], FIRST)[FIRST]
        first, rest = subsets[harm[subsets] <= split], subsets[harm[subsets] > split]
    else:
        first, rest = subsets, subsets[:0]
    yield from map(int, first[np.lexsort((cost[first], harm[first]))])
    yield from map(int, rest[np.lexsort((cost[rest], harm[rest]))])


def _subset_costs(names: Sequence[str], limit: Limit) -> np.ndarray:
    """The cost of every subset, up to rounding, in the order of subset numbers."""
    cost = limit.cost
    all_float = math.fsum([float(cost.fixed), *map(float, cost.float_cost.values())])
    found = all_float - _subset_sums(np.array([float(cost.saving(name)) for name in names]))
    numbers = np.arange(len(found))
    for shared in cost.transitions:
        paid = np.zeros(len(found), dtype=bool)
        for layer in set(shared.layers):
            options = [index for index, name in enumerate(names) if layer_of(name) == layer]
            if shared.when == "float":  # a layer that is not in question is float
                paid |= numbers & sum(1 << index for index in options) == 0
            else:
                paid |= numbers & sum(1 << index for index in options if precision_of(names[index]) == shared.when) != 0
        found += float(shared.cost) * paid
    if cost.footprint is not None:
        shares = cost.footprint.shares
        freed = [shares.get(layer_of(name), 0.0) * (1 - room(precision_of(name))) for name in names]
        found += cost.footprint.reload * refill(1 - _subset_sums(np.array(freed)))
    return found


def _subset_sums(values: np.ndarray) -> np.ndarray:
    """The sum over every subset, in the order of subset numbers."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _whole_savings(harms: Mapping[str, float], limit: Limit) -> tuple[dict[str, int], int] | None:
    """Savings and the needed saving as small integers; None where a cost is a float, shared or raised by a footprint,
    where layers have several options, and where the table is too large.
    """
    cost = limit.cost
    if cost.has_alternatives or cost.footprint is not None or any(shared.cost for shared in cost.transitions):
        return None
    exact = {name: cost.saving(name) for name in harms}
    if any(isinstance(value, float) for value in (*exact.values(), cost.full)):
        return None
    need = Fraction(cost.full) - Fraction(limit.value)
    scale = math.lcm(*(Fraction(value).denominator for value in exact.values()))
    savings = {name: int(value * scale) for name, value in exact.items()}
    divisor = math.gcd(*savings.values())
    steps = max(0, math.ceil(need * scale / divisor))
    if (steps + 1) * len(harms) > TABLE_CELLS:
        return None
    return {name: value // divisor for name, value in savings.items()}, steps


def _dynamic_program(harms: Mapping[str, float], savings: Mapping[str, int], need: int) -> tuple[str, ...]:
    """The least harmful choice that saves at least ``need``.

    best[s] is the least harm with which the layers so far save s, where s = need stands for need and more.
    """
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
