"""Select layers, build and measure the network, correct the cost model, until the measured time is within the budget.

Weights do not change the time, so the choice is certified before the expensive fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.additive import Budget
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measure_costs import MeasuredCost, refit
from b2nn_tvm.loop.measure_network import NetworkTime, measure_network
from b2nn_tvm.mixbin.selection.limits import Constraint
from b2nn_tvm.mixbin.selection.select import Selection, select
from b2nn_tvm.plan import Certificate

ATTEMPTS = 8
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
    ``certificate`` says what is proven of the choice under the cost model by which it was selected.
    """

    binary: tuple[str, ...]
    predicted_ms: float
    time: NetworkTime
    measured: MeasuredCost
    attempts: tuple[Attempt, ...]
    certificate: Certificate | None = None


def find_within_budget(
    job: Job,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    limit_ms: float,
    *,
    also: Sequence[Constraint] = (),
) -> FoundWithinBudget:
    """The least harmful choice found whose measured time is at most ``limit_ms``, and which keeps ``also``: further
    costs with their budgets.

    Candidates are selected below a bound that starts a margin below the limit and goes down until one is measured
    within the limit. Then the bound goes up as long as candidates are measured within it. Each measurement refines the
    cost model. Raises BudgetError where no candidate keeps the limit.
    """
    if measured.binary_ms > limit_ms and measured.fitted.cost.minimum() > limit_ms:
        select(scores, measured.fitted.cost, Budget(limit_ms, "ms"), also=also)  # raises, and says which layers bind
    selection = job.settings.selection
    attempts: list[Attempt] = []
    times: dict[tuple[str, ...], NetworkTime] = {}
    certificates: dict[tuple[str, ...], Certificate] = {}
    best: Attempt | None = None
    for index in range(ATTEMPTS):
        job.progress(PHASE, index, ATTEMPTS)
        bounds = (
            _below(limit_ms * (1 - selection.margin), measured) if best is None else _above(limit_ms, selection.margin)
        )
        chosen = _untried(job, scores, measured, bounds, times, best, also)
        if chosen is None:
            break
        time = measure_network(job, chosen.binary)
        attempt = Attempt(chosen.binary, float(chosen.achieved), time.ms, chosen.harm)
        times[chosen.binary], certificates[chosen.binary] = time, chosen.certificate
        attempts.append(attempt)
        measured = refit(job, (*measured.networks, time))
        if time.ms <= limit_ms:
            best = attempt
        elif best is not None:
            break
    job.progress(PHASE, ATTEMPTS, ATTEMPTS)
    if best is None:
        raise BudgetError(_refusal(attempts, measured, limit_ms))
    proof = certificates[best.binary]
    return FoundWithinBudget(best.binary, best.predicted_ms, times[best.binary], measured, tuple(attempts), proof)


def _untried(
    job: Job,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    bounds: Iterable[float],
    tried: Collection[tuple[str, ...]],
    best: Attempt | None,
    also: Sequence[Constraint],
) -> Selection | None:
    """The first selection under one of ``bounds`` that was not tried yet and is less harmful than ``best``."""
    how = job.settings.selection
    cost = measured.fitted.cost
    for bound in bounds:
        try:
            chosen = select(scores, cost, Budget(bound, "ms"), also=also, rule=how.rule, solver=how.solver)
        except BudgetError:
            if also and tried:  # the bound has gone below what the other budgets leave possible
                return None
            raise
        if chosen.binary not in tried and (best is None or chosen.harm < best.harm):
            return chosen
    return None


def _below(bound: float, measured: MeasuredCost) -> Iterator[float]:
    """Bounds from ``bound`` down to the least possible time, in steps of 1 %."""
    least = float(measured.fitted.cost.minimum())
    while bound > least:
        yield bound
        bound *= 0.99
    yield math.nextafter(least, math.inf)


def _above(limit: float, margin: float) -> Iterator[float]:
    """Bounds from ``margin`` below the limit to a little over it, in steps of 0.5 %."""
    steps = math.ceil((margin + REACH) / 0.005)
    return (limit * (1 - margin + 0.005 * step) for step in range(steps + 1))


def _refusal(attempts: list[Attempt], measured: MeasuredCost, limit_ms: float) -> str:
    fastest = min([attempt.measured_ms for attempt in attempts] + [measured.binary_ms])
    fixed = sorted(measured.fitted.cost.fixed_parts.items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} ({float(ms):.3g} ms)" for name, ms in fixed)
    return (
        f"no choice of layers was measured within {limit_ms:.4g} ms: the fastest took {fastest:.4g} ms, held up by"
        f" layers that stay float: {named or 'none'}. Allow at least {fastest:.4g} ms, or change the network"
    )
