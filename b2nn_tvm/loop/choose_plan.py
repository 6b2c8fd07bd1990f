"""The choice of binary layers, by their scores, by a progression or by a plan, and its predicted cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.costs.options import option
from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.find_within_budget import Attempt, find_within_budget
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.loop.progressive import binarize_until_within_budget
from b2nn_tvm.mixbin.progressive.driver import Step
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.plan import Certificate, Plan, Precision

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Choice:
    """The chosen layers (or options of layers), their predicted cost in the budget's unit and in milliseconds, and all
    attempts.

    ``network`` is the network that a progression has trained, in ``steps``; it is None where nothing was trained.
    ``certificate`` says what is proven of a choice by scores, and is None for any other choice.
    """

    binary: tuple[str, ...]
    predicted: float
    predicted_ms: float | None
    measured: MeasuredCost
    attempts: tuple[Attempt, ...]
    precision: Precision = Precision.BINARY
    network: torch.nn.Module | None = None
    steps: tuple[Step, ...] = ()
    certificate: Certificate | None = None


def choose(
    job: Job,
    goal: BudgetGoal,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    bound: float,
    *,
    excluded: Collection[tuple[str, ...]] = (),
) -> Choice:
    """Choose layers as the search's settings say, within ``bound`` milliseconds or within the goal's limit in another
    unit, and within the goal's further budgets.

    Under milliseconds, the choices in ``excluded`` are left out: their libraries were over the budget.
    """
    if job.settings.selection.progressive:
        return _choose_progressively(job, goal, scores, measured, bound)
    if goal.cost is None:
        found = find_within_budget(job, scores, measured, bound, also=goal.also, excluded=excluded)
        return Choice(
            found.binary,
            found.predicted_ms,
            found.predicted_ms,
            found.measured,
            found.attempts,
            certificate=found.selection.certificate,
        )
    how = job.settings.selection
    chosen = select(scores, goal.cost, Budget(goal.limit, goal.unit), also=goal.also, rule=how.rule, solver=how.solver)
    return replace(choice_of_plan(goal, measured, chosen.binary), certificate=chosen.certificate)


def options_of_plan(plan: Plan) -> tuple[str, ...]:
    """What the layers of a plan become, as options; see costs.options."""
    return tuple(option(layer, str(word)) for layer, word in plan.layers.items() if word in BITS)


def choice_of_plan(goal: BudgetGoal, measured: MeasuredCost, binary: tuple[str, ...]) -> Choice:
    """The given ``binary`` layers as a choice, with their cost by the goal's exact cost model, else by the fitted
    one.
    """
    predicted_ms = float(measured.fitted.cost.total(binary))
    predicted = predicted_ms if goal.cost is None else float(goal.cost.total(binary))
    return Choice(binary, predicted, predicted_ms, measured, ())


def _choose_progressively(
    job: Job, goal: BudgetGoal, scores: Mapping[str, float], measured: MeasuredCost, bound: float
) -> Choice:
    trained = replace(job, keeps_levels=True)  # each step trains the network of the one before
    found = binarize_until_within_budget(trained, goal, scores, measured, bound)
    how = job.settings.selection.progression()
    exact_ms = float(measured.fitted.cost.total(found.binary)) if how.precision == Precision.BINARY else None
    predicted_ms = found.predicted if goal.cost is None else exact_ms
    # A progression without training only chooses layers; its choice is fine-tuned like any other.
    network = found.progressed.model if how.epochs or exact_ms is None else None
    return Choice(
        binary=found.binary,
        predicted=found.predicted,
        predicted_ms=predicted_ms,
        measured=found.measured,
        attempts=found.attempts,
        precision=how.precision,
        network=network,
        steps=found.progressed.steps,
    )
