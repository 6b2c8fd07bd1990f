"""Layers become binary one after the other, with training in between, until the measured time is within the budget.

The order says which layer is next, the cost model predicts how many layers are needed, and the device measures whether
they are enough. Where they are not, the same progression goes on from its last layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, Number
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.find_within_budget import REACH, Attempt
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, refit
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.settings import SelectionSettings
from b2nn_tvm.mixbin.progressive.driver import Progressed, progressive
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.plan import Precision


@dataclass(frozen=True)
class ProgressionWithinBudget:
    """The progression that keeps the budget; ``attempts`` and ``measured`` are as in FoundWithinBudget."""

    progressed: Progressed
    binary: tuple[str, ...]
    predicted: float
    measured: MeasuredCost
    attempts: tuple[Attempt, ...]


def check_progression(selection: SelectionSettings, budgets: Sequence[Budget], *, compare: int) -> None:
    """Raises InputError for budgets or a comparison that do not go with the progression, if there is one."""
    if selection.progressive is None:
        return
    if len(budgets) > 1:
        raise InputError(f"a progressive order goes on until one budget is kept: give one, not {len(budgets)}")
    if selection.progression().precision != Precision.WEIGHT_BINARY:
        return
    if not budgets or budgets[0].unit != "bytes":
        raise InputError(
            f"{selection.progressive} makes weights alone binary, which saves bytes: give a budget such as 300KiB"
        )
    if compare:
        raise InputError(f"{selection.progressive} cannot be compared with random choices, whose inputs are binary too")


def binarize_until_within_budget(
    job: Job, goal: BudgetGoal, scores: Mapping[str, float], measured: MeasuredCost, bound: float
) -> ProgressionWithinBudget:
    """Binarize layer by layer until the network keeps ``bound``, in the goal's unit.

    Finished layers stay on disk whatever the bound was, so that a search with a lower bound goes on from them. Raises
    BudgetError where the accuracy floor is reached first, or where all layers together are not enough.
    """
    cost = goal.cost or measured.fitted.cost
    limit = bound if goal.cost else max(bound * (1 + REACH), cost.minimum())
    attempts: list[Attempt] = []
    while True:
        progressed = _binarize(job, scores, cost, limit)
        binary, predicted = progressed.plan.chosen, float(cost.total(progressed.layers))
        if progressed.stopped == "floor":
            raise BudgetError(
                f"with {len(binary)} binary layers the network is expected at {predicted:.4g} {cost.unit}, over"
                f" {limit:.4g}, and one more brings the validation accuracy below the floor of"
                f" {job.settings.selection.floor}: allow more {cost.unit}, or a lower floor"
            )
        if goal.cost:
            return ProgressionWithinBudget(progressed, binary, predicted, measured, ())
        (time,) = measure_networks(job, [binary])
        attempts.append(
            Attempt(
                binary, predicted, time.at(measured.quantile), progressed.steps[-1].loss if progressed.steps else 0.0
            )
        )
        measured = refit(job, (*measured.networks, time), quantile=measured.quantile)
        if time.keeps(bound, measured.quantile):
            return ProgressionWithinBudget(progressed, binary, predicted, measured, tuple(attempts))
        if predicted <= cost.minimum():
            raise BudgetError(
                f"all layers binary, the network was measured at {time.upper_ms(measured.quantile):.4g} ms: allow at"
                f" least that, not {bound:.4g} ms"
            )
        limit = math.nextafter(predicted, 0)


def _binarize(job: Job, scores: Mapping[str, float], cost: AdditiveCost, limit: Number) -> Progressed:
    seed = job.settings.training.seed
    task = ScoringTask.of(
        job.model,
        job.data.calibration(seed=seed),
        layers=job.eligible,
        conversion=job.settings.conversion,
        seed=seed,
        cost=cost,
        limit=limit,
        data=job.data,
        progress=job.progress,
    )
    how, training = job.settings.selection.progression(scores), job.settings.training
    if training.lr is not None:
        how = replace(how, lr=training.lr)
    return progressive(task, how, folder=job.state.files("progressive"), batch=training.batch_size)
