"""What the phases of a search found becomes its result: plan.json, costs.json, the report, and the object returned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.choose_plan import Choice
from b2nn_tvm.loop.compare_random import RandomChoice, interval
from b2nn_tvm.loop.delivery import Delivery
from b2nn_tvm.loop.front.by_precision import PrecisionFront
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.int8_beside import Int8Beside
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, unprofitable_layers
from b2nn_tvm.loop.result_rows import method_label, plan_of, quality_of, ranks_of
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.answers import compare_answers
from b2nn_tvm.loop.results.described_result import DescribedResult
from b2nn_tvm.loop.results.layer_outcome import layer_outcomes, rest_ms
from b2nn_tvm.loop.results.origin import origin_of
from b2nn_tvm.loop.results.result import AchievedBudget, ResultRow, Round
from b2nn_tvm.plan import Plan


@dataclass(frozen=True)
class Findings:
    """What the phases found.

    ``measured`` has the first measured networks, ``known`` the cost model fitted to all of them. ``drawn`` are the
    random choices among the ``rows``. ``scores`` are empty where nothing was scored.
    """

    measured: MeasuredCost
    known: MeasuredCost
    scores: Mapping[str, float]
    choice: Choice
    delivery: Delivery
    rounds: tuple[Round, ...]
    rows: tuple[ResultRow, ...]
    drawn: list[RandomChoice]
    by_flops: FlopsChoice | None
    front: tuple[FrontPoint, ...]
    fronts: tuple[PrecisionFront, ...]
    int8: Int8Beside | None


def describe_result(
    job: Job,
    goal: BudgetGoal,
    found: Findings,
    folder: Path,
    *,
    imported_plan: Plan | None,
    plan_file: str | os.PathLike[str] | None,
    started: float,
    command: str,
) -> DescribedResult:
    """Write plan.json, costs.json and the report into ``folder``; returns the result.

    ``imported_plan`` was read from ``plan_file``, where a plan was given. The search began when ``time.monotonic()``
    was ``started``, by ``command``.
    """
    choice, delivery, settings = found.choice, found.delivery, job.settings
    manifest = read_manifest(next(iter(delivery.libraries.values())))
    plan = plan_of(job, choice, goal, imported_plan)
    plan.save(folder / "plan.json")
    found.known.table.save(folder / "costs.json")
    layers = layer_outcomes(job, plan, found.scores, choice.measured, imported=imported_plan is not None)
    random_rows = [row for row in found.rows if row.role == "random"]
    result = DescribedResult(
        folder=folder,
        model=job.name,
        method=method_label(settings.selection, imported_plan, plan_file),
        plan=plan,
        budget=goal.words,
        unit=goal.unit,
        limit=goal.limit,
        predicted=choice.predicted,
        achieved=delivery.measured_ms if goal.unit == "ms" else choice.predicted,
        measured_ms=delivery.measured_ms,
        time=delivery.time,
        library_accuracy=delivery.accuracy,
        agreeing=delivery.images - len(delivery.other_answers),
        other_answers=delivery.other_answers,
        images=delivery.images,
        rows=found.rows,
        random_accuracy=interval([row.accuracy for row in random_rows]) if found.drawn else None,
        random_ms=interval([one.ms for one in found.drawn]) if found.drawn else None,
        rounds=found.rounds,
        quality=quality_of(choice.measured),
        scores=dict(found.scores) or ranks_of(job, choice, imported_plan),
        libraries=delivery.libraries,
        device=delivery.device,
        isa=delivery.isa,
        threads=settings.deployment.threads,
        conversion=settings.conversion,
        steps=choice.steps,
        further=tuple(
            AchievedBudget(cost.unit, float(limit.limit(cost)), float(cost.total(choice.binary)))
            for cost, limit in goal.also
        ),
        by_flops=found.by_flops,
        front=found.front,
        fronts=found.fronts,
        unprofitable=unprofitable_layers(choice.measured),
        quantile=goal.quantile,
        preprocess=manifest.preprocess,
        labels=manifest.labels,
        layers=layers,
        rest_ms=rest_ms(layers, choice.measured),
        ends=tuple(replace(each, layers=()) for each in found.measured.networks[: found.measured.ends]),
        answers=compare_answers(job, delivery.answers),
        int8=found.int8,
        origin=origin_of(job, started=started, command=command),
    )
    report.write(result)
    return result
