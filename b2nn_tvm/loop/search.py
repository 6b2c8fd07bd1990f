"""The whole loop as a function: trace, measure, train, select, certify, fine-tune, export, compile, measure again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.data.adjust import adjusted
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import PATH, check_arguments
from b2nn_tvm.faults.program_fault import foreign
from b2nn_tvm.loop import budget_goal as goals
from b2nn_tvm.loop.check_search import (
    check_device,
    check_front,
    check_head,
    check_more_precisions,
    check_pixels,
    choose_output,
    hint_at_merging,
    imported_plan_for,
    reasons_of,
    settings_for_plan,
)
from b2nn_tvm.loop.choose_and_deliver import choose_and_deliver
from b2nn_tvm.loop.choose_by_flops import choose_by_flops
from b2nn_tvm.loop.compare_random import interval
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.busy import busy_words
from b2nn_tvm.loop.measuring.int8_beside import check_int8, measure_int8
from b2nn_tvm.loop.measuring.measure_costs import measure_cost, unprofitable_layers
from b2nn_tvm.loop.measuring.measure_network import SAMPLES
from b2nn_tvm.loop.preflight.before_measuring import before_measuring
from b2nn_tvm.loop.preflight.near_chance import near_chance
from b2nn_tvm.loop.preflight.training_time import training_words
from b2nn_tvm.loop.progressive import check_progression
from b2nn_tvm.loop.result_rows import (
    fine_tuned_front,
    method_label,
    plan_of,
    quality_of,
    ranks_of,
    result_rows,
)
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.answers import compare_answers
from b2nn_tvm.loop.results.bundle_libraries import bundle_libraries
from b2nn_tvm.loop.results.described_result import DescribedResult
from b2nn_tvm.loop.results.layer_outcome import layer_outcomes, rest_ms
from b2nn_tvm.loop.results.origin import origin_of
from b2nn_tvm.loop.results.result import AchievedBudget
from b2nn_tvm.loop.scores import score
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.loop.sources import load_data, load_model, name_of
from b2nn_tvm.loop.training import train_parent
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.network.own_faults import own_faults
from b2nn_tvm.plan import Plan
from b2nn_tvm.preprocess.labels import read_labels
from b2nn_tvm.progress import as_progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.targets import target as targets

if TYPE_CHECKING:
    import torch

    from b2nn_tvm.data import DataBundle
    from b2nn_tvm.loop.settings import SearchKeywords
    from b2nn_tvm.progress import Note, Progress

_HINTS = {
    "output": PATH,
    "settings": SearchSettings | None,
    "checkpoint": PATH | None,
    "classes": int | None,
    "plan": PATH | None,
    "output_of": str | None,
    "image_size": int | None,
    "skip_bad": int,
    "class_weights": str | None,
    "labels": PATH | None,
    "compare": int,
    "front": int,
    "budget": str | Budget | Sequence | None,
}


@own_faults("the search")
def search(
    model: str | torch.nn.Module,
    *,
    data: str | DataBundle,
    output: str | os.PathLike[str],
    budget: str | Budget | Sequence[str | Budget] | None = None,
    settings: SearchSettings | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    classes: int | None = None,
    ignore_head: bool = False,
    output_of: str | None = None,
    image_size: int | None = None,
    skip_bad: int = 0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: str | None = None,
    class_weights: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    plan: str | os.PathLike[str] | None = None,
    compare: int = 0,
    front: int = 0,
    front_accuracy: bool = False,
    bundle: bool = False,
    int8: bool = False,
    fresh: bool = False,
    command: str = "",
    progress: Progress | None = None,
    note: Note | None = None,
    **keywords: Unpack[SearchKeywords],
) -> DescribedResult:
    """Find which convolutions become binary so that the compiled network keeps ``budget``, and deliver it in
    ``output``.

    ``model`` is a torch module, a built-in network's name or "pkg.module:factory"; ``data`` is a DataBundle, a built-in
    set's name, a path or a factory. ``budget`` is "12ms", "40%flops", "300KiB" and the like, or a sequence of budgets
    in different units, all of which are kept; None is half-way from all binary to all float in milliseconds. The
    settings of the search are given as ``settings``, or as ``keywords``, which are the fields of the settings' groups:
    method, rule, solver, masks, margin, progressive, epochs_per_layer, floor and precisions of SelectionSettings;
    epochs, float_epochs, seed, batch_size, lr and recipe of TrainingSettings; target, device, threads, also and
    input_format of DeploymentSettings; and conversion. Milliseconds are those of one undisturbed inference, or observed
    ones where the budget is "12ms@p90" and the like.

    ``checkpoint`` holds the trained float weights. Where it is for another number of classes than the data, ``classes``
    builds the network for that number, and ``ignore_head`` leaves the checkpoint's head and trains a new one in the
    float epochs. ``output_of`` names the class scores of a network that gives several tensors: a key of its dict, a
    field, or the place in its tuple; None is the first tensor. ``image_size`` and ``skip_bad`` are the ``size`` and
    ``skip_bad`` of ``data.get``; ``mean``, ``std``, ``augment`` and ``class_weights`` are those of
    ``data.adjust.adjusted``, and ``labels`` is a file with the name of a class in each line. ``note`` is told what was
    left of the checkpoint and of the data, which output is used, and what is doubtful.

    Without ``float_epochs`` a network given by name or factory is trained for 12 epochs before the selection, and a
    torch module, or a network with a checkpoint whose head is kept, for none. Data, network, device and disk are tried
    before anything is measured.

    ``b2nn_tvm.search`` draws its progress on stderr where ``progress`` is left out; None is silent.

    With ``plan``, a plan.json that may come from another data set, nothing is scored or selected: the plan's layers
    become binary, by the plan's conversion unless another one is given, and the result says whether the budget is kept.
    ``front`` > 0 also measures the least harmful choices for that many budgets between the all-binary and the all-float
    network, and ``front_accuracy`` fine-tunes each of them. ``compare`` > 0 also fine-tunes the all-binary network and
    that many random choices of the same measured time. ``bundle`` makes the folders of the delivered libraries ready to
    be copied to a board. ``int8`` measures onnxruntime's int8 form of the float network beside the library. ``command``
    is told in the report as what was typed.

    Finished phases stay in ``output``/state and are used again where nothing they depend on has changed, and measured
    bursts stay in ``output``/costs.json.samples, unless ``fresh``.

    Raises BudgetError where no choice keeps the budget, or the accuracy floor is reached first, InputError for
    arguments that cannot be used, and the errors of the compiler and the device. The selection is MixBin's (Partial
    Binarization of Neural Networks, algorithm 1).
    """
    started = time.monotonic()
    check_arguments(
        _HINTS,
        {
            "output": output,
            "settings": settings,
            "checkpoint": checkpoint,
            "classes": classes,
            "plan": plan,
            "output_of": output_of,
            "image_size": image_size,
            "skip_bad": skip_bad,
            "class_weights": class_weights,
            "labels": labels,
            "compare": compare,
            "front": front,
            "budget": budget,
        },
        budget="such as 12ms, 40%flops or 300KiB",
    )
    settings = SearchSettings.from_keywords(settings, **keywords)
    trained = not isinstance(model, str) or (checkpoint is not None and not ignore_head)
    settings = replace(settings, training=settings.training.decided(trained=trained))
    loaded_plan = None if plan is None else Plan.load(plan)
    if loaded_plan is not None:
        settings = settings_for_plan(settings, loaded_plan)
    selection, deployment = settings.selection, settings.deployment
    budgets = goals.parse_goal(budget, rule=selection.rule)
    check_progression(selection, budgets, compare=compare)
    check_front(front, selection, loaded_plan)
    check_more_precisions(selection, compare=compare)
    for word in deployment.targets:  # an unknown target or a missing compiler is refused before any work
        find_toolchain(targets.get(word))
    note = foreign(note or (lambda text: None))
    check_device(deployment, note=note)
    if int8:
        check_int8(deployment.device)
    check_head(settings.training, ignore_head=ignore_head)
    loaded = load_data(data, image_size=image_size, skip_bad=skip_bad, progress=as_progress(progress))
    loaded = adjusted(
        loaded,
        mean=mean,
        std=std,
        augment=augment,
        class_names=None if labels is None else read_labels(labels),
        class_weights=class_weights,
    )
    for text in loaded.notes:
        note(text)
    check_pixels(deployment, loaded)
    network = load_model(
        model,
        loaded,
        checkpoint=checkpoint,
        seed=settings.training.seed,
        classes=classes,
        ignore_head=ignore_head,
        note=note,
    ).eval()
    hint_at_merging(network, note=note)
    choose_output(network, loaded, output_of, note=note)
    layers = trace(network, loaded.input_shape)
    precisions = tuple(selection.precisions)
    if not any(layers.eligible_for(word) for word in precisions if word != "float"):
        fewer = " or ".join(word for word in precisions if word != "float")
        raise InputError(f"{name_of(model)} has no layer that may become {fewer}; the layers are: {reasons_of(layers)}")
    imported_plan = None
    if loaded_plan is not None:
        imported_plan = imported_plan_for(loaded_plan, layers, name_of(model), precisions)
    folder = Path(output)
    state = State(folder / "state", fresh=fresh)
    if fresh:
        shutil.rmtree(folder / SAMPLES, ignore_errors=True)  # else the old bursts would count as measured
    job = Job(
        name=name_of(model),
        model=network,
        layers=layers,
        data=loaded,
        settings=settings,
        state=state,
        progress=foreign(as_progress(progress)),
    )

    goal = goals.exact_goal(job, budgets)
    exact = () if goal else goals.exact_limits(job, budgets)  # refused before anything is measured
    networks = 2 + (compare + 1 if compare else 0) + (front if front_accuracy else 0)
    before_measuring(
        network,
        loaded,
        folder,
        state,
        trained=networks,
        built=networks + selection.masks + 2 * front,
        trains=bool(settings.training.float_epochs or settings.training.epochs),
        progress=job.progress,
        note=note,
    )
    if words := training_words(network, loaded, settings.training, tuned=networks - 1):
        note(words)
    quantile = next((each.quantile for each in budgets if each.unit == "ms"), None)
    measured = measure_cost(job, quantile=quantile)
    goal = goal or goals.latency_goal(budgets, measured, also=exact)
    if imported_plan is None and (loose := goals.loose_words(goal, measured)):
        note(loose)
    if busy := busy_words(measured.networks):
        note(busy)
    parent = train_parent(job)
    if doubt := near_chance("the float network", parent.validation_accuracy, loaded):
        note(doubt)
    scores = score(job, goal, measured) if imported_plan is None and selection.needs_scores else {}
    choice, mixed, delivery, rounds = choose_and_deliver(job, goal, scores, measured, folder, imported_plan)
    if not doubt and (doubt := near_chance("the delivered network", mixed.validation_accuracy, loaded)):
        note(doubt)
    by_flops = None
    if goal.unit == "ms" and scores and job.is_binary:
        by_flops = choose_by_flops(job, goal, scores, choice.measured)
    points, fronts, known = fine_tuned_front(job, scores, choice.measured, front, accuracy=front_accuracy)
    rows, drawn = result_rows(job, goal, choice, measured, parent, mixed, delivery, count=compare)

    manifest = read_manifest(next(iter(delivery.libraries.values())))
    answers = compare_answers(job, delivery.answers)
    found_plan = plan_of(job, choice, goal, imported_plan)
    found_plan.save(folder / "plan.json")
    known.table.save(folder / "costs.json")
    known_scores = dict(scores) or ranks_of(job, choice, imported_plan)
    layer_rows = layer_outcomes(job, found_plan, scores, choice.measured, imported=imported_plan is not None)
    if bundle:
        bundle_libraries(delivery.libraries.values(), loaded)
    found = DescribedResult(
        folder=folder,
        model=job.name,
        method=method_label(selection, imported_plan, plan),
        plan=found_plan,
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
        rows=rows,
        random_accuracy=interval([row.accuracy for row in rows if row.role == "random"]) if drawn else None,
        random_ms=interval([one.ms for one in drawn]) if drawn else None,
        rounds=rounds,
        quality=quality_of(choice.measured),
        scores=known_scores,
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
        fronts=fronts,
        unprofitable=unprofitable_layers(choice.measured),
        quantile=goal.quantile,
        preprocess=manifest.preprocess,
        labels=manifest.labels,
        layers=layer_rows,
        rest_ms=rest_ms(layer_rows, choice.measured),
        ends=tuple(replace(each, layers=()) for each in measured.networks[: measured.ends]),
        answers=answers,
        int8=measure_int8(job, next(iter(delivery.libraries.values()))) if int8 else None,
        origin=origin_of(job, started=started, command=command),
    )
    report.write(found)
    return found
