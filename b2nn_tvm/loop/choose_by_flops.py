"""What the same search would have chosen with FLOPs in place of milliseconds, and what that costs on this device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, exact_cost
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.mixbin.selection.select import select


@dataclass(frozen=True)
class FlopsChoice:
    """The choice under a budget of ``flops``, and its measured milliseconds.

    The budget in FLOPs is as far between those of the all-binary and the all-float network as the budget in
    milliseconds is between their times. ``harm`` is the sum of the scores of the binary layers.
    """

    binary: tuple[str, ...]
    flops: float
    measured_ms: float
    harm: float
    keeps: bool


def choose_by_flops(
    job: Job, goal: BudgetGoal, scores: Mapping[str, float], measured: MeasuredCost
) -> FlopsChoice | None:
    """The choice by FLOPs in place of the goal's milliseconds, built and measured; None where there is none."""
    flops = exact_cost(job, "flops")
    scaled = flops_between(flops, measured.float_ms, measured.binary_ms)
    how = job.settings.selection
    if scaled is None:
        return None
    try:
        chosen = select(
            scores, scaled, Budget(goal.limit, "ms"), also=goal.also, rule=how.rule, solver=how.solver
        ).binary
    except BudgetError:
        return None
    (time,) = measure_networks(job, [chosen])
    return FlopsChoice(
        chosen,
        float(flops.total(chosen)),
        time.at(measured.quantile),
        sum(scores[name] for name in chosen),
        time.keeps(goal.limit, measured.quantile),
    )


def flops_between(flops: AdditiveCost, float_ms: float, binary_ms: float) -> AdditiveCost | None:
    """FLOPs as milliseconds, scaled so that the all-float and the all-binary network have these times.

    None where binary layers save no time, because then there is no such scale.
    """
    full, least = float(flops.full), float(flops.total(flops.names))
    slope = (float_ms - binary_ms) / (full - least)
    fixed = binary_ms - slope * (least - float(flops.fixed))
    if slope <= 0 or fixed < 0:
        return None
    float_cost, binary_cost = (
        {name: slope * float(cost) for name, cost in costs.items()} for costs in (flops.float_cost, flops.binary_cost)
    )
    return replace(flops, unit="ms", fixed=fixed, float_cost=float_cost, binary_cost=binary_cost, fixed_parts={})
