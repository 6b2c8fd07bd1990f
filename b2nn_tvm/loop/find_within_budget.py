"""Select layers, build and measure the networks, correct the cost model, until the best choice within the budget is
found.

Weights do not change the time, so the choice is settled before the expensive fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, refit
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.mixbin.selection.limits import Constraint
from b2nn_tvm.mixbin.selection.select import Selection, runners_up, select

ROUNDS = 8
TOGETHER = 3  # the winner and its runners-up, built and measured in one round
REACH = 0.05  # a candidate predicted this much over the budget may still be measured within it
PHASE = "find the choice that keeps the budget"


@dataclass(frozen=True)
class Attempt:
    """One candidate: its binary layers, its predicted and its measured time in milliseconds, and its predicted harm."""

    binary: tuple[str, ...]
    predicted_ms: float
    measured_ms: float
    harm: float


@dataclass(frozen=True)
class FoundWithinBudget:
    """The chosen layers with their measurement.

    ``attempts`` are in the order in which they were tried; the cost model in ``measured`` is fitted to all of them.
    ``selection`` is the one that proposed the choice; its certificate holds under the cost model of that time.
    """

    binary: tuple[str, ...]
    predicted_ms: float
    time: NetworkTime
    measured: MeasuredCost
    attempts: tuple[Attempt, ...]
    selection: Selection


def find_within_budget(
    job: Job,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    limit_ms: float,
    *,
    also: Sequence[Constraint] = (),
    excluded: Collection[tuple[str, ...]] = (),
) -> FoundWithinBudget:
    """The least harmful choice found whose measured time is at most ``limit_ms``, and which keeps ``also``: further
    costs with their budgets.

    In each round the least harmful choices that the cost model expects within the limit are built and measured in turn.
    A choice that was measured is never proposed again, and each measurement refines the cost model. After a round that
    brought no choice that keeps the limit, the bound is lower; after one that did, it is as much above the limit as the
    model may be wrong, and only less harmful choices are tried, until the model knows none below the bound. A choice
    that keeps the limit is measured again, more precisely, and has to keep it again: of many choices those keep a limit
    that were measured too low.
    Raises BudgetError where no candidate keeps the limit. Choices in ``excluded`` are never proposed.
    """
    if measured.binary_ms > limit_ms and measured.fitted.cost.minimum() > limit_ms:
        select(scores, measured.fitted.cost, Budget(limit_ms, "ms"), also=also)  # raises, and says which layers bind
    attempts: list[Attempt] = []
    tried = set(excluded)
    known = {time.binary: time for time in measured.networks}
    best: tuple[Selection, NetworkTime] | None = None
    bound = limit_ms * (1 - job.settings.selection.margin)
    for index in range(ROUNDS):
        job.progress(PHASE, index, ROUNDS)
        proposed = _propose(job, scores, measured, bound, also, tried=tried, below=best and best[0].harm)
        if not proposed and not attempts and bound < limit_ms:
            bound = limit_ms  # the other budgets may leave nothing below it
            continue
        if not proposed:
            break
        new = [each.binary for each in proposed if each.binary not in known]
        known |= {time.binary: time for time in measure_networks(job, new)}
        before = best
        for each in proposed:
            tried.add(each.binary)
            time = known[each.binary]
            if (best is None or each.harm < best[0].harm) and time.keeps(limit_ms, measured.quantile):
                time = known[each.binary] = _confirmed(job, measured, time)
                best = (each, time) if time.keeps(limit_ms, measured.quantile) else best
            attempts.append(Attempt(each.binary, float(each.achieved), time.at(measured.quantile), each.harm))
        measured = refit(job, tuple(known.values()), quantile=measured.quantile)
        times = [known[each.binary] for each in proposed]
        bound = _next_bound(bound, limit_ms, measured, times, better=best is not before)
    job.progress(PHASE, ROUNDS, ROUNDS)
    if best is None:
        if not attempts:
            select(scores, measured.fitted.cost, Budget(limit_ms, "ms"), also=also)  # raises, and names the budget
        raise BudgetError(_refusal(measured, limit_ms))
    selection, time = best
    return FoundWithinBudget(selection.binary, float(selection.achieved), time, measured, tuple(attempts), selection)


def _confirmed(job: Job, measured: MeasuredCost, time: NetworkTime) -> NetworkTime:
    """The time of a network, measured more precisely.

    An observed quantile does not become more precise, and shares of the float network's time are taken as they are.
    """
    if not time.binary or measured.quantile is not None:
        return time
    (finer,) = measure_networks(job, [time.binary], finer=True)
    return replace(finer, layers=time.layers)  # its layers were measured before, if at all


def _propose(
    job: Job,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    bound: float,
    also: Sequence[Constraint],
    *,
    tried: Collection[tuple[str, ...]],
    below: float | None,
) -> list[Selection]:
    """The least harmful choices predicted within ``bound`` that were not tried yet, with less harm than ``below``."""
    cost = measured.fitted.cost
    budget = Budget(max(bound, math.nextafter(float(cost.minimum()), math.inf)), "ms")
    try:
        if job.settings.selection.solver == "exact":
            ranked: Sequence[Selection] = runners_up(scores, cost, budget, also=also, count=len(tried) + TOGETHER)
        else:
            ranked = _sorted_below(scores, measured, budget, also)
    except BudgetError:  # the other budgets need choices that this bound excludes
        return []
    new = [each for each in ranked if each.binary not in tried and (below is None or each.harm < below)]
    return new[:TOGETHER]


def _sorted_below(
    scores: Mapping[str, float], measured: MeasuredCost, budget: Budget, also: Sequence[Constraint]
) -> list[Selection]:
    """What the sort selects under ``budget`` and, one layer after the other, below it, the least harmful first."""
    cost = measured.fitted.cost
    ranked = [select(scores, cost, budget, also=also, solver="sort")]
    while float(ranked[-1].achieved) > float(cost.minimum()) * (1 + 1e-9):
        below = Budget(math.nextafter(float(ranked[-1].achieved), 0), "ms")
        try:
            ranked.append(select(scores, cost, below, also=also, solver="sort"))
        except BudgetError:  # the order of the scores, or the other budgets, leave nothing faster
            break
    return ranked


def _next_bound(
    bound: float, limit_ms: float, measured: MeasuredCost, times: Sequence[NetworkTime], *, better: bool
) -> float:
    """The bound for the predictions of the round after one that measured ``times``, and found a ``better`` choice."""
    if better:
        wrong = measured.fitted.worst
        return limit_ms * (1 + min(REACH, REACH if math.isnan(wrong) else wrong))
    fastest = min(time.upper_ms(measured.quantile) for time in times)
    return bound * min(0.99, limit_ms / fastest)


def _refusal(measured: MeasuredCost, limit_ms: float) -> str:
    fastest = min(time.upper_ms(measured.quantile) for time in measured.networks)
    fixed = sorted(measured.fitted.cost.fixed_parts.items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} ({float(ms):.3g} ms)" for name, ms in fixed)
    return (
        f"no choice of layers was measured within {limit_ms:.4g} ms: the fastest took {fastest:.4g} ms, held up by"
        f" layers that stay float: {named or 'none'}. Allow at least {fastest:.4g} ms, or change the network"
    )
