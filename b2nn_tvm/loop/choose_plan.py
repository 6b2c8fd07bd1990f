"""Which layers become binary: by their scores, by a progression, or as a plan says, with what that should cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from b2nn_tvm.costs.additive import Budget
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.find_within_budget import Attempt, find_within_budget
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measure_costs import MeasuredCost
from b2nn_tvm.loop.progressive import binarize_until_within_budget
from b2nn_tvm.mixbin.progressive.driver import Step
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.plan import Precision

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Choice:
    """The chosen layers, what they should cost in the budget's unit and in milliseconds, and what was tried.

    ``network`` is what a progression has trained, in ``steps``.
    """

    binary: tuple[str, ...]
    predicted: float
    predicted_ms: float | None
    cost: MeasuredCost
    attempts: tuple[Attempt, ...]
    precision: Precision = Precision.BINARY
    network: torch.nn.Module | None = None
    steps: tuple[Step, ...] = ()


def choose(job: Job, goal: BudgetGoal, scores: Mapping[str, float], times: MeasuredCost, target_ms: float) -> Choice:
    """The layers that the search's settings lead to under ``target_ms`` milliseconds, or under the goal's limit in
    another unit.
    """
    if job.settings.selection.progressive:
        return _choose_progressively(job, goal, scores, times, target_ms)
    if goal.cost is None:
        found = find_within_budget(job, scores, times, target_ms)
        return Choice(found.binary, found.predicted_ms, found.predicted_ms, found.cost, found.attempts)
    selection = job.settings.selection
    chosen = select(scores, goal.cost, Budget(goal.limit, goal.unit), rule=selection.rule, solver=selection.solver)
    return choice_of_plan(goal, times, chosen.binary)


def choice_of_plan(goal: BudgetGoal, times: MeasuredCost, binary: tuple[str, ...]) -> Choice:
    """These layers, with what they cost by the goal's exact cost or by the fitted one."""
    predicted_ms = float(times.fitted.cost.total(binary))
    predicted = predicted_ms if goal.cost is None else float(goal.cost.total(binary))
    return Choice(binary, predicted, predicted_ms, times, ())


def _choose_progressively(
    job: Job, goal: BudgetGoal, scores: Mapping[str, float], times: MeasuredCost, target_ms: float
) -> Choice:
    found = binarize_until_within_budget(job, goal, scores, times, target_ms)
    how = job.settings.selection.progression()
    exact_ms = float(times.fitted.cost.total(found.binary)) if how.precision == Precision.BINARY else None
    predicted_ms = found.predicted if goal.cost is None else exact_ms
    # A progression without training has only chosen; the choice is fine-tuned like any other.
    network = found.progressed.model if how.epochs or exact_ms is None else None
    return Choice(
        found.binary,
        found.predicted,
        predicted_ms,
        found.cost,
        found.attempts,
        how.precision,
        network,
        found.progressed.steps,
    )
