"""The whole loop as a function: trace, measure, train, select, certify, fine-tune, export, compile, measure again."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from b2nn_tvm.costs.additive import Budget
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import BudgetError, DeviceError, InputError
from b2nn_tvm.loop import budget_goal as goals
from b2nn_tvm.loop import report
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.build_network import label_of
from b2nn_tvm.loop.choose_by_flops import choose_by_flops
from b2nn_tvm.loop.choose_plan import Choice, choice_of_plan, choose
from b2nn_tvm.loop.compare_random import RandomChoice, interval, random_choices
from b2nn_tvm.loop.delivery import Delivery, deliver
from b2nn_tvm.loop.front import FrontPoint, measure_front
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measure_costs import MeasuredCost, measure_cost, unprofitable_layers
from b2nn_tvm.loop.network_time import NetworkTime
from b2nn_tvm.loop.progressive import check_progression
from b2nn_tvm.loop.result import AchievedBudget, CostQuality, ResultRow, SearchResult
from b2nn_tvm.loop.scores import score
from b2nn_tvm.loop.settings import DeploymentSettings, SearchSettings, SelectionSettings
from b2nn_tvm.loop.sources import load_data, load_model, name_of
from b2nn_tvm.loop.training import Trained, finetune_each, finetune_on, train_parent
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.conversion.transfer import transfer
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.progress import as_progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.targets import target as targets

if TYPE_CHECKING:
    import torch

    from b2nn_tvm.data import DataBundle
    from b2nn_tvm.loop.settings import SearchKeywords
    from b2nn_tvm.mixbin.network.layers import LayerTable
    from b2nn_tvm.progress import Progress

ROUNDS = 3


def search(
    model: str | torch.nn.Module,
    *,
    data: str | DataBundle,
    output: str | os.PathLike[str],
    budget: str | Budget | Sequence[str | Budget] | None = None,
    settings: SearchSettings | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    plan: str | os.PathLike[str] | None = None,
    compare: int = 0,
    front: int = 0,
    front_accuracy: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
    **keywords: Unpack[SearchKeywords],
) -> SearchResult:
    """Find which convolutions become binary so that the compiled network keeps ``budget``, and deliver it in
    ``output``.

    ``model`` is a torch module, a built-in network's name or "pkg.module:factory"; ``data`` is a DataBundle, a built-in
    set's name, a path or a factory. ``budget`` is "12ms", "40%flops", "300KiB" and the like, or a sequence of budgets
    in different units, all of which are kept; None is half-way from all binary to all float in milliseconds. The
    settings of the search are given as ``settings``, or as ``keywords``, which are the fields of the settings' groups:
    method, rule, solver, masks, margin, progressive, epochs_per_layer and floor of SelectionSettings; epochs,
    float_epochs and seed of TrainingSettings; target, device, threads and also of DeploymentSettings; and conversion.
    Milliseconds are those of one undisturbed inference, or observed ones where the budget is "12ms@p90" and the like.

    With ``plan``, a plan.json that may come from another data set, nothing is scored or selected: the plan's layers
    become binary, by the plan's conversion unless another one is given, and the result says whether the budget is kept.
    ``front`` > 0 also measures the least harmful choices for that many budgets between the all-binary and the all-float
    network, and ``front_accuracy`` fine-tunes each of them. ``compare`` > 0 also fine-tunes the all-binary network and
    that many random choices of the same measured time.

    Finished phases stay in ``output``/state and are used again where nothing they depend on has changed, unless
    ``fresh``.

    Raises BudgetError where no choice keeps the budget, or the accuracy floor is reached first, InputError for
    arguments that cannot be used, and the errors of the compiler and the device. The selection is MixBin's (Partial
    Binarization of Neural Networks, algorithm 1).
    """
    settings = SearchSettings.from_keywords(settings, **keywords)
    loaded_plan = None if plan is None else Plan.load(plan)
    if loaded_plan is not None:
        settings = _settings_for_plan(settings, loaded_plan)
    selection, deployment = settings.selection, settings.deployment
    budgets = goals.parse_goal(budget, rule=selection.rule)
    check_progression(selection, budgets, compare=compare)
    _check_front(front, selection, loaded_plan)
    for word in deployment.targets:  # an unknown target or a missing compiler is refused before any work
        find_toolchain(targets.get(word))
    _check_device(deployment)
    bundle = load_data(data)
    network = load_model(model, bundle, checkpoint=checkpoint, seed=settings.training.seed).eval()
    layers = trace(network, bundle.input_shape)
    if not layers.eligible:
        raise InputError(f"{name_of(model)} has no layer that may become binary; the layers are: {_reasons(layers)}")
    imported_plan = None if loaded_plan is None else _imported_plan(loaded_plan, layers, name_of(model))
    folder = Path(output)
    state = State(folder / "state", fresh=fresh)
    job = Job(
        name=name_of(model),
        model=network,
        layers=layers,
        data=bundle,
        settings=settings,
        state=state,
        progress=as_progress(progress),
    )

    goal = goals.exact_goal(job, budgets)
    exact = () if goal else goals.exact_limits(job, budgets)  # refused before anything is measured
    quantile = next((each.quantile for each in budgets if each.unit == "ms"), None)
    measured = measure_cost(job, quantile=quantile)
    goal = goal or goals.latency_goal(budgets, measured, also=exact)
    parent = train_parent(job)
    scores = score(job, goal, measured) if imported_plan is None and selection.needs_scores else {}
    choice, mixed, delivery = _choose_and_deliver(job, goal, scores, measured, folder, imported_plan)
    by_flops = choose_by_flops(job, goal, scores, choice.measured) if goal.unit == "ms" and scores else None
    points = _front(job, scores, choice.measured, front, accuracy=front_accuracy)
    rows, drawn = _compare(job, goal, choice, measured, parent, mixed, delivery, count=compare)

    found_plan = _plan(job, choice, goal, imported_plan)
    found_plan.save(folder / "plan.json")
    choice.measured.table.save(folder / "costs.json")
    found = SearchResult(
        folder=folder,
        model=job.name,
        method=_method_label(selection, imported_plan, plan),
        plan=found_plan,
        budget=goal.words,
        unit=goal.unit,
        limit=goal.limit,
        predicted=choice.predicted,
        achieved=delivery.measured_ms if goal.unit == "ms" else choice.predicted,
        measured_ms=delivery.measured_ms,
        time=delivery.time,
        library_accuracy=delivery.accuracy,
        agreeing=delivery.agreeing,
        images=delivery.images,
        rows=rows,
        random_accuracy=interval([row.accuracy for row in rows if row.role == "random"]) if drawn else None,
        random_ms=interval([one.ms for one in drawn]) if drawn else None,
        attempts=choice.attempts,
        quality=_quality(choice.measured),
        scores=dict(scores)
        or (_ranks(job, choice) if imported_plan is None else dict.fromkeys(job.eligible, math.nan)),
        libraries=delivery.libraries,
        device=delivery.device,
        isa=delivery.isa,
        threads=deployment.threads,
        conversion=settings.conversion,
        steps=choice.steps,
        further=tuple(
            AchievedBudget(cost.unit, float(limit.limit(cost)), float(cost.total(choice.binary)))
            for cost, limit in goal.also
        ),
        by_flops=by_flops,
        front=points,
        unprofitable=unprofitable_layers(choice.measured),
    )
    report.write(found)
    return found


def _settings_for_plan(settings: SearchSettings, plan: Plan) -> SearchSettings:
    """The settings with the plan's conversion, unless they have a conversion of their own."""
    if settings.selection.progressive:
        raise InputError("a plan says which layers become binary, and so does a progressive order: give one of them")
    if plan.conversion and settings.conversion == DEFAULT:
        options: dict[str, Any] = dict(plan.conversion)
        return replace(settings, conversion=ConversionOptions(**options))
    return settings


def _check_front(front: int, selection: SelectionSettings, plan: Plan | None) -> None:
    if front == 1 or front < 0:
        raise InputError(f"a front needs at least 2 points, but got {front}")
    if front and (plan is not None or not selection.needs_scores):
        raise InputError("a front is of choices by scores, and neither a plan nor this progressive order has scores")


def _imported_plan(loaded_plan: Plan, layers: LayerTable, name: str) -> Plan:
    """``loaded_plan`` transferred to the network's layers; raises InputError where it does not fit."""
    plan = transfer(loaded_plan, layers, model=name)
    if Precision.WEIGHT_BINARY in plan.layers.values():
        raise InputError(
            "expected a plan of float and binary layers, but it has some whose weights alone are binary: they save no"
            " time"
        )
    return plan


def _check_device(deployment: DeploymentSettings) -> None:
    info = targets.get(deployment.target)
    if deployment.device != "local":
        with open_device(deployment.device) as board:
            board.check(info)
        return
    if not info.runs_here:
        raise DeviceError(
            f"times are measured on device local, which cannot run code for target {info.name} (it lacks"
            f" {', '.join(info.missing)}); measure on a device that can, or search for target native and add"
            f" {info.name} with also"
        )


def _choose_and_deliver(
    job: Job,
    goal: BudgetGoal,
    scores: Mapping[str, float],
    measured: MeasuredCost,
    folder: Path,
    imported_plan: Plan | None,
) -> tuple[Choice, Trained, Delivery]:
    """Choose, fine-tune and deliver, again with a lower bound as long as the delivered library is over the budget.

    A given plan is delivered once. Where the lower bound leads to the same choice, the machine is taken to have been
    busy, and the library is measured again.
    """
    bound = goal.limit
    tried: dict[str, Choice] = {}
    for _ in range(ROUNDS):
        choice = (
            choose(job, goal, scores, measured, bound)
            if imported_plan is None
            else choice_of_plan(goal, measured, imported_plan.binary)
        )
        name = label_of(job, choice.binary)
        if name in tried:
            job.state.forget(f"delivery/{name}")
        choice = tried.setdefault(name, choice)
        phase = "fine-tune the chosen network"
        if choice.network is not None:
            mixed = finetune_on(job, name, choice.network, phase=phase)
        else:
            mixed = finetune_each(job, {name: choice.binary}, phase=phase)[name]
        limit_ms = goal.limit if goal.unit == "ms" else None
        digest = _plan(job, choice, goal, imported_plan).digest
        delivery = deliver(
            job,
            mixed.model,
            folder,
            phase=f"delivery/{name}",
            limit_ms=limit_ms,
            plan_digest=digest,
            quantile=goal.quantile,
        )
        if imported_plan is not None or goal.unit != "ms" or delivery.keeps(goal.limit):
            return choice, mixed, delivery
        measured = choice.measured
        bound *= 0.99 * min(1.0, goal.limit / delivery.time.upper_ms(goal.quantile))
    for name in tried:  # the same command measures them again
        job.state.forget(f"delivery/{name}")
    raise BudgetError(
        f"the delivered library took {delivery.measured_ms:.4g} ms in {ROUNDS} rounds, over the budget of"
        f" {goal.limit:.4g} ms, although the same layers had been measured within it: the machine is too busy to tell;"
        " run the same command again when it is idle"
    )


def _front(
    job: Job, scores: Mapping[str, float], measured: MeasuredCost, count: int, *, accuracy: bool
) -> tuple[FrontPoint, ...]:
    """The front over ``count`` budgets, if there are any, each point fine-tuned where its ``accuracy`` is asked for."""
    if not count:
        return ()
    points, _ = measure_front(job, scores, measured, count)
    if not accuracy:
        return points
    choices = {f"front-{label_of(job, point.binary)}": point.binary for point in points if point.binary}
    trained = finetune_each(job, choices, phase="fine-tune the front")
    accuracies = {binary: trained[name].accuracy for name, binary in choices.items()}
    return tuple(replace(point, accuracy=accuracies.get(point.binary)) for point in points)


def _compare(
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


def _plan(job: Job, choice: Choice, goal: BudgetGoal, imported_plan: Plan | None) -> Plan:
    chosen = set(choice.binary)
    layers = {layer.name: choice.precision if layer.name in chosen else Precision.FLOAT for layer in job.layers}
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


def _method_label(selection: SelectionSettings, imported_plan: Plan | None, file: str | os.PathLike[str] | None) -> str:
    """How the layers were chosen, for reports."""
    if imported_plan is not None:
        return f"{imported_plan.method}, the plan {file}"
    if selection.progressive:
        return selection.label
    return f"{selection.method}, {selection.rule}, {selection.solver}"


def _ranks(job: Job, choice: Choice) -> dict[str, float]:
    """Ranks in place of scores, where no score decided: layers that became binary first, then the others."""
    done = [step.layer for step in choice.steps]
    order = [*done, *(name for name in job.eligible if name not in done)]
    return {name: float(order.index(name)) for name in job.eligible}


def _quality(cost: MeasuredCost) -> CostQuality:
    fitted = cost.fitted
    return CostQuality(fitted.error, fitted.worst, fitted.prior_error, fitted.networks)


def _reasons(layers: LayerTable) -> str:
    return "; ".join(f"{layer.name}: {layer.reason}" for layer in layers)
