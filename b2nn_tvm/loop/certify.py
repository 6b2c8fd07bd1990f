"""Select, build, measure, correct the cost model, until the measured time is within the budget.

Weights do not change the time, so the choice is certified before the expensive fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from b2nn_tvm.cost import Budget
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.costs import MeasuredCost, refit
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.networks import NetworkTime, measured
from b2nn_tvm.mixbin.select import select

ATTEMPTS = 8
PHASE = "find the choice that keeps the budget"


@dataclass(frozen=True)
class Attempt:
    """One candidate: how many layers it binarizes, what the cost model said, what the device said, in milliseconds."""

    binary: tuple[str, ...]
    predicted_ms: float
    measured_ms: float
    harm: float


@dataclass(frozen=True)
class Certified:
    """The chosen layers with their measurement; ``attempts`` in the order they were tried; ``cost`` is fitted to all of them."""

    binary: tuple[str, ...]
    predicted_ms: float
    time: NetworkTime
    cost: MeasuredCost
    attempts: tuple[Attempt, ...]


def certify(job: Job, scores: Mapping[str, float], cost: MeasuredCost, limit_ms: float) -> Certified:
    """The least harmful choice found whose measured time is at most ``limit_ms``.

    Each measurement refines the cost model; a candidate over the limit lowers the bound below its own predicted cost,
    so that the next one is taken. Raises BudgetError where no candidate keeps the limit.
    """
    settings = job.settings
    if cost.binary_ms > limit_ms and cost.fitted.cost.minimum() > limit_ms:
        select(scores, cost.fitted.cost, Budget(limit_ms, "ms"))  # says what is possible, and which layers bind
    bound = limit_ms * (1 - settings.margin)
    attempts: list[Attempt] = []
    times: dict[tuple[str, ...], NetworkTime] = {}
    for index in range(ATTEMPTS):
        job.progress(PHASE, index, ATTEMPTS)
        model = cost.fitted.cost
        bound = max(bound, model.minimum())
        chosen = select(scores, model, Budget(bound, "ms"), rule=settings.rule, solver=settings.solver)
        if chosen.binary in times and times[chosen.binary].ms <= limit_ms:
            break
        if chosen.binary in times:
            bound = math.nextafter(float(chosen.achieved), 0)
            if bound < model.minimum():
                break
            continue
        time = measured(job, chosen.binary)
        times[chosen.binary] = time
        attempts.append(Attempt(chosen.binary, float(chosen.achieved), time.ms, chosen.harm))
        cost = refit(job, (*cost.times, time))
    job.progress(PHASE, ATTEMPTS, ATTEMPTS)
    kept = [attempt for attempt in attempts if attempt.measured_ms <= limit_ms]
    if not kept:
        raise BudgetError(_refusal(attempts, cost, limit_ms))
    best = min(kept, key=lambda attempt: (attempt.harm, attempt.measured_ms))
    return Certified(best.binary, best.predicted_ms, times[best.binary], cost, tuple(attempts))


def _refusal(attempts: list[Attempt], cost: MeasuredCost, limit_ms: float) -> str:
    fastest = min([attempt.measured_ms for attempt in attempts] + [cost.binary_ms])
    fixed = sorted(cost.fitted.cost.fixed_parts.items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} ({float(ms):.3g} ms)" for name, ms in fixed)
    return (
        f"no choice of layers was measured within {limit_ms:.4g} ms: the fastest took {fastest:.4g} ms, held up by layers that "
        f"stay float: {named or 'none'}. Allow at least {fastest:.4g} ms, or change the network"
    )
