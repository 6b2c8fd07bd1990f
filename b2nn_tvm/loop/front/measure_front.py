"""The front: for budgets between the all-binary and the all-float network, the least harmful choice that keeps each of
them, built and measured.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, refit
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.mixbin.selection.select import select

PHASE = "measure the front"
PASSES = 2  # the second one uses what the first one has measured
REACH = 0.01  # a choice that is predicted this much over a budget may still be measured within it


@dataclass(frozen=True)
class FrontPoint:
    """A choice that no other measured one beats in time and in harm.

    ``ms`` are measured milliseconds, with their 95 % interval from ``low_ms`` to ``high_ms``, which are NaN where
    observed times count; ``harm`` is the sum of the scores of the binary layers. ``accuracy`` is the share of right
    answers on the test set after fine-tuning, where it was asked for. The ``knee`` is the point farthest from the
    straight line between the two ends of the front.
    """

    binary: tuple[str, ...]
    harm: float
    ms: float
    low_ms: float
    high_ms: float
    accuracy: float | None = None
    knee: bool = False


def measure_front(
    job: Job,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    points: int,
    *,
    also: Sequence[Collection[str]] = (),
) -> tuple[tuple[FrontPoint, ...], MeasuredCost]:
    """(The front over ``points`` budgets from the fastest network's time to the float network's, the fastest first; the
    cost model fitted to all that was measured.)

    For each set of precisions in ``also``, the least harmful choices of these precisions alone are measured within as
    many budgets. Raises InputError for fewer than two points.
    """
    if points < 2:
        raise InputError(f"a front needs at least 2 points, but got {points}")
    known = {time.binary: time for time in measured.networks}
    for index in range(PASSES):
        job.progress(PHASE, index, PASSES)
        proposed = dict.fromkeys(_propose(scores, measured, known, points))
        for words in also:
            own = {
                choice: time for choice, time in known.items() if {precision_of(each) for each in choice} <= {*words}
            }
            only = [each for each in scores if precision_of(each) in words]
            proposed |= dict.fromkeys(_propose(scores, measured, own, points, only=only))
        new = [choice for choice in proposed if choice not in known]
        known |= {time.binary: time for time in measure_networks(job, new)}
        measured = refit(job, tuple(known.values()), quantile=measured.quantile)
    job.progress(PHASE, PASSES, PASSES)
    harms = {choice: sum(scores[name] for name in choice) for choice in known}
    return mark_knee(_least_harm(known, harms, _budgets(measured, known, points), measured.quantile)), measured


def _budgets(measured: MeasuredCost, known: Mapping[tuple[str, ...], NetworkTime], points: int) -> list[float]:
    fastest = min(time.upper_ms(measured.quantile) for time in known.values())
    return [float(ms) for ms in np.linspace(fastest, max(fastest, measured.float_ms), points)]


def _propose(
    scores: Mapping[str, float],
    measured: MeasuredCost,
    known: Mapping[tuple[str, ...], NetworkTime],
    points: int,
    *,
    only: Collection[str] | None = None,
) -> list[tuple[str, ...]]:
    """The least harmful choices that the cost model expects within each budget, or little above it, each once.

    The fastest choice of several precisions comes first: no network was measured that has more than one of them in all
    layers, so that the budgets may begin above it.
    """
    cost = measured.fitted.cost
    found: dict[tuple[str, ...], None] = {}
    if only is None and cost.has_alternatives:
        found[cost.cheapest] = None
    for bound in _budgets(measured, known, points):
        for budget in (Budget(bound, "ms"), Budget(bound * (1 + REACH), "ms")):
            try:
                found[select(scores, cost, budget, solver="exact", only=only).binary] = None
            except BudgetError:  # the fastest network was measured faster than the model predicts any
                continue
    return list(found)


def _least_harm(
    known: Mapping[tuple[str, ...], NetworkTime],
    harms: Mapping[tuple[str, ...], float],
    budgets: Sequence[float],
    quantile: float | None,
) -> list[FrontPoint]:
    """The least harmful measured choice within each budget; of two equally harmful ones, the faster one."""
    found: dict[tuple[str, ...], FrontPoint] = {}
    for budget in budgets:
        within = [choice for choice, time in known.items() if time.keeps(budget, quantile)]
        best = min(within, key=lambda choice: (harms[choice], known[choice].at(quantile)))
        time = known[best]
        low, high = (time.low_ms, time.high_ms) if quantile is None else (math.nan, math.nan)
        found[best] = FrontPoint(best, harms[best], time.at(quantile), low, high)
    return list(found.values())


def mark_knee(front: Sequence[FrontPoint]) -> tuple[FrontPoint, ...]:
    """The front with its knee marked, if it has more than its two ends (Satopaa et al., "Finding a 'Kneedle' in a
    haystack", 2011).
    """
    if len(front) < 3:
        return tuple(front)
    ms, harm = (np.array([getattr(point, name) for point in front]) for name in ("ms", "harm"))
    along = (ms - ms[0]) / (ms[-1] - ms[0])
    down = (harm - harm[-1]) / ((harm[0] - harm[-1]) or 1)
    knee = int(np.argmin(along + down))
    return tuple(replace(point, knee=index == knee) for index, point in enumerate(front))
