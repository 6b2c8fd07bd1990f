"""Choose layers, fine-tune and deliver the network, and choose again where the delivered library is over the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.choose_plan import Choice, choice_of_plan, choose, options_of_plan
from b2nn_tvm.loop.delivery import Delivery, deliver
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import label_of
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.over_budget import over_budget
from b2nn_tvm.loop.result_rows import plan_of
from b2nn_tvm.loop.results.result import AchievedBudget, Round
from b2nn_tvm.loop.training import Trained, finetune_each, finetune_on
from b2nn_tvm.plan import Plan

ROUNDS = 3


def choose_and_deliver(
    job: Job,
    goal: BudgetGoal,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    folder: Path,
    imported_plan: Plan | None,
) -> tuple[Choice, Trained, Delivery, tuple[Round, ...]]:
    """Choose, fine-tune and deliver, again with a lower bound as long as the delivered library is over the budget; all
    rounds are kept.

    A given plan is delivered once. A choice whose library was over the budget is not chosen again. Raises BudgetError
    where no library keeps the budget, and SettledAnew where ``measured`` turns out to be stale before anything was
    fine-tuned.
    """
    bound = goal.limit
    tried: dict[str, Choice] = {}
    over: dict[str, NetworkTime] = {}
    rounds: list[Round] = []
    for _ in range(ROUNDS):
        try:
            choice = (
                choose(job, goal, scores, measured, bound, excluded=[each.binary for each in tried.values()])
                if imported_plan is None
                else choice_of_plan(goal, measured, options_of_plan(imported_plan))
            )
        except BudgetError:
            if not over:
                raise
            break  # nothing else keeps the bound, which is below the budget by now: what was delivered says more
        job = replace(job, keeps_levels=True)  # what is fine-tuned now was chosen by these milliseconds
        name = label_of(job, choice.binary)
        choice = tried.setdefault(name, choice)
        phase = "fine-tune the chosen network"
        if choice.network is not None:
            mixed = finetune_on(job, name, choice.network, phase=phase)
        else:
            mixed = finetune_each(job, {name: choice.binary}, phase=phase)[name]
        limit_ms = goal.limit if goal.unit == "ms" else None
        digest = plan_of(job, choice, goal, imported_plan).digest
        delivery = deliver(
            job,
            mixed.model,
            folder,
            phase=f"delivery/{name}",
            limit_ms=limit_ms,
            plan_digest=digest,
            quantile=goal.quantile,
        )
        rounds.append(_round(goal, scores, bound, choice, delivery))
        if imported_plan is not None or goal.unit != "ms" or delivery.keeps(goal.limit):
            return choice, mixed, delivery, tuple(rounds)
        measured = choice.measured
        over[name] = delivery.time
        bound *= 0.99 * min(1.0, goal.limit / delivery.time.upper_ms(goal.quantile))
    raise BudgetError(over_budget(list(over.values()), goal.limit, quantile=goal.quantile))


def _round(goal: BudgetGoal, scores: Mapping[str, float], bound: float, choice: Choice, delivery: Delivery) -> Round:
    achieved = delivery.measured_ms if goal.unit == "ms" else choice.predicted
    upper = delivery.time.upper_ms(goal.quantile) if goal.unit == "ms" else math.nan
    return Round(
        bound=bound,
        attempts=choice.attempts,
        binary=choice.binary,
        harm=sum(scores[name] for name in choice.binary) if scores else math.nan,
        predicted=choice.predicted,
        time=delivery.time,
        status=AchievedBudget(goal.unit, goal.limit, achieved, goal.quantile, upper).status,
    )
