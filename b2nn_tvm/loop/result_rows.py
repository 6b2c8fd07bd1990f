"""The rows of the result's table, and the plan that goes with them: from what the phases found to what is reported."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.choose_plan import Choice
from b2nn_tvm.loop.compare_random import RandomChoice, random_choices
from b2nn_tvm.loop.delivery import Delivery
from b2nn_tvm.loop.front.by_precision import BUDGETS, PrecisionFront, fronts_by_precision, sets_of_precisions
from b2nn_tvm.loop.front.measure_front import FrontPoint, measure_front
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import label_of
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.result import CostQuality, ResultRow
from b2nn_tvm.loop.settings import SelectionSettings
from b2nn_tvm.loop.training import Trained, finetune_each
from b2nn_tvm.plan import Plan, Precision


def result_rows(
    job: Job,
    goal: BudgetGoal,
    choice: Choice,
    measured: MeasuredCost,
    parent: Trained,
    mixed: Trained,
    delivery: Delivery,
    *,
    count: int,
) -> tuple[tuple[ResultRow, ...], list[RandomChoice]]:
    """The rows of the table; ``count`` random choices and the all-binary network are measured first, then trained
    side by side.
    """
    cost = choice.measured.fitted.cost
    all_float, all_binary = measured.networks[:2]

    def row(name: str, role: str, time: NetworkTime, accuracy: float, seed: int | None = None) -> ResultRow:
        return ResultRow(
            name=name,
            role=role,
            binary=time.binary,
            accuracy=accuracy,
            predicted_ms=float(cost.total(time.binary)),
            measured_ms=time.at(goal.quantile),
            size_bytes=time.size_bytes,
            seed=seed,
        )

    rows = [
        row("all float", "float", all_float, parent.accuracy),
        ResultRow(
            name="mixed",
            role="mixed",
            binary=choice.binary,
            accuracy=mixed.accuracy,
            predicted_ms=choice.predicted_ms,
            measured_ms=delivery.measured_ms,
            size_bytes=delivery.size_bytes,
        ),
    ]
    if not count:
        return tuple(rows), []
    drawn = random_choices(job, cost, choice.binary, delivery.measured_ms, count, quantile=goal.quantile)
    choices = {"all-binary": job.eligible, **{f"random-{one.seed}": one.binary for one in drawn}}
    effort = job.settings.selection.progression().epochs * len(choice.steps) if choice.network is not None else 0
    trained = finetune_each(job, choices, phase="fine-tune the networks to compare with", effort=effort)
    rows.append(row("all binary", "binary", all_binary, trained["all-binary"].accuracy))
    rows += [row("random", "random", one.time, trained[f"random-{one.seed}"].accuracy, one.seed) for one in drawn]
    return tuple(rows), drawn


def fine_tuned_front(
    job: Job, scores: Mapping[str, float], measured: MeasuredCost, count: int, *, accuracy: bool
) -> tuple[tuple[FrontPoint, ...], tuple[PrecisionFront, ...], MeasuredCost]:
    """(The front over ``count`` budgets, if there are any; the fronts of single precisions beside that of all, where
    there are more than two; the cost model fitted to all that was measured.)

    Each point is fine-tuned where its ``accuracy`` is asked for.
    """
    sets = sets_of_precisions(tuple(job.settings.selection.precisions)) if scores else ()
    if not count and not sets:
        return (), (), measured
    points, measured = measure_front(job, scores, measured, count or BUDGETS, also=sets[1:])
    front = points if count else ()
    fronts = fronts_by_precision(scores, measured.networks, sets, measured.quantile)
    if not accuracy:
        return front, fronts, measured
    everything = [point.binary for each in (front, *(one.points for one in fronts)) for point in each]
    choices = {f"front-{label_of(job, binary)}": binary for binary in everything if binary}
    trained = finetune_each(job, choices, phase="fine-tune the front")
    accuracies = {binary: trained[name].accuracy for name, binary in choices.items()}

    def known(points: Sequence[FrontPoint]) -> tuple[FrontPoint, ...]:
        return tuple(replace(point, accuracy=accuracies.get(point.binary)) for point in points)

    return known(front), tuple(replace(each, points=known(each.points)) for each in fronts), measured


def plan_of(job: Job, choice: Choice, goal: BudgetGoal, imported_plan: Plan | None) -> Plan:
    """The plan of a choice."""
    chosen: dict[str, Precision] = {
        layer: choice.precision if word == Precision.BINARY else Precision(word)
        for layer, word in precisions_of(choice.binary).items()
    }
    layers = {layer.name: chosen.get(layer.name, Precision.FLOAT) for layer in job.layers}
    workloads = {layer.name: layer.workload.key for layer in job.layers}
    settings = job.settings
    method = settings.selection.label if imported_plan is None else imported_plan.method
    return Plan(
        layers=layers,
        workloads=workloads,
        model=job.name,
        method=method,
        budget=goal.words,
        predicted=choice.predicted,
        unit=goal.unit,
        conversion=asdict(settings.conversion),
        certificate=choice.certificate,
    )


def method_label(selection: SelectionSettings, imported_plan: Plan | None, file: str | os.PathLike[str] | None) -> str:
    """How the layers were chosen, for reports."""
    if imported_plan is not None:
        return f"{imported_plan.method}, the plan {file}"
    if selection.progressive:
        return selection.label
    return f"{selection.method}, {selection.rule}, {selection.solver}"


def ranks_of(job: Job, choice: Choice, imported_plan: Plan | None) -> dict[str, float]:
    """Ranks in place of scores, where no score decided: layers that became binary first, then the others.

    A plan of other data has no ranks either: they are NaN.
    """
    if imported_plan is not None:
        return dict.fromkeys(job.options, math.nan)
    done = [step.layer for step in choice.steps]
    order = [*done, *(name for name in job.options if name not in done)]
    return {name: float(order.index(name)) for name in job.options}


def quality_of(cost: MeasuredCost) -> CostQuality:
    """The errors of the fitted cost model."""
    fitted = cost.fitted
    return CostQuality(fitted.error, fitted.worst, fitted.prior_error, fitted.networks)
