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
from b2nn_tvm.faults.check_arguments import PATH, check_arguments
from b2nn_tvm.faults.program_fault import foreign
from b2nn_tvm.loop import budget_goal as goals
from b2nn_tvm.loop.choose_by_flops import choose_by_flops
from b2nn_tvm.loop.describe_result import Findings, describe_result
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measure_and_choose import measure_and_choose
from b2nn_tvm.loop.measuring.int8_beside import measure_int8
from b2nn_tvm.loop.measuring.measure_network import SAMPLES
from b2nn_tvm.loop.preflight.before_measuring import before_measuring
from b2nn_tvm.loop.preflight.check_search import check_settings, imported_plan_for, settings_for_plan
from b2nn_tvm.loop.preflight.load_inputs import data_for, network_for
from b2nn_tvm.loop.preflight.training_time import training_words
from b2nn_tvm.loop.result_rows import fine_tuned_front, result_rows
from b2nn_tvm.loop.results.bundle_libraries import bundle_libraries
from b2nn_tvm.loop.results.described_result import DescribedResult
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.loop.sources import name_of
from b2nn_tvm.mixbin.network.own_faults import own_faults
from b2nn_tvm.plan import Plan
from b2nn_tvm.progress import as_progress
from b2nn_tvm.storage.one_at_a_time import alone_in_output
from b2nn_tvm.storage.phase_cache import State

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
    "scheduler": str | None,
    "budget": str | Budget | Sequence | None,
}


@own_faults("the search")
@alone_in_output
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
    scheduler: str | None = None,
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
    be copied to a board. ``int8`` measures onnxruntime's int8 form of the float network beside the library. With
    ``scheduler``, the address of one of dask.distributed, its workers score the layers; they see ``output`` and what
    the network is imported from at the same paths. ``command`` is told in the report as what was typed.

    Finished phases stay in ``output``/state and are used again where nothing they depend on has changed, and measured
    bursts stay in ``output``/costs.json.samples, unless ``fresh``.

    Raises BudgetError where no choice keeps the budget, or the accuracy floor is reached first, InputError for
    arguments that cannot be used and where another search works in ``output``, and the errors of the compiler and the
    device. The selection is MixBin's (Partial Binarization of Neural Networks, algorithm 1).
    """
    started = time.monotonic()
    check_arguments(_HINTS, locals(), budget="such as 12ms, 40%flops or 300KiB")
    settings = SearchSettings.from_keywords(settings, **keywords)
    trained = not isinstance(model, str) or (checkpoint is not None and not ignore_head)
    settings = replace(settings, training=settings.training.decided(trained=trained))
    loaded_plan = None if plan is None else Plan.load(plan)
    if loaded_plan is not None:
        settings = settings_for_plan(settings, loaded_plan)
    budgets = goals.parse_goal(budget, rule=settings.selection.rule)
    note, told = foreign(note or (lambda text: None)), as_progress(progress)
    check_settings(
        settings,
        budgets,
        loaded_plan,
        compare=compare,
        front=front,
        int8=int8,
        ignore_head=ignore_head,
        scheduler=scheduler,
        note=note,
    )
    bundled = data_for(
        data,
        settings,
        image_size=image_size,
        skip_bad=skip_bad,
        mean=mean,
        std=std,
        augment=augment,
        class_weights=class_weights,
        labels=labels,
        progress=told,
        note=note,
    )
    network, layers = network_for(
        model,
        bundled,
        settings,
        checkpoint=checkpoint,
        classes=classes,
        ignore_head=ignore_head,
        output_of=output_of,
        note=note,
    )
    name, folder = name_of(model), Path(output)
    imported_plan = None
    if loaded_plan is not None:
        imported_plan = imported_plan_for(loaded_plan, layers, name, tuple(settings.selection.precisions))
    state = State(folder / "state")
    job = Job(name, network, layers, bundled, settings, state, foreign(told))

    exact_goal = goals.exact_goal(job, budgets)
    exact = () if exact_goal else goals.exact_limits(job, budgets)  # refused before anything is measured
    _try_everything(job, folder, compare=compare, front=front, front_accuracy=front_accuracy, note=note)
    if fresh:  # what is refused above leaves an earlier search as it was
        for old in (state.folder, folder / SAMPLES):  # old bursts would count as measured
            shutil.rmtree(old, ignore_errors=True)
    chosen = measure_and_choose(job, folder, budgets, exact_goal, exact, imported_plan, scheduler=scheduler, note=note)
    goal, measured, scores, choice = chosen.goal, chosen.measured, chosen.scores, chosen.choice
    job = replace(job, keeps_levels=True)
    by_flops = None
    if goal.unit == "ms" and scores and job.is_binary:
        by_flops = choose_by_flops(job, goal, scores, choice.measured)
    points, fronts, known = fine_tuned_front(job, scores, choice.measured, front, accuracy=front_accuracy)
    rows, drawn = result_rows(job, goal, choice, measured, chosen.parent, chosen.mixed, chosen.delivery, count=compare)
    if bundle:
        bundle_libraries(chosen.delivery.libraries.values(), bundled)
    found = Findings(
        measured=measured,
        known=known,
        scores=scores,
        choice=choice,
        delivery=chosen.delivery,
        rounds=chosen.rounds,
        rows=rows,
        drawn=drawn,
        by_flops=by_flops,
        front=points,
        fronts=fronts,
        int8=measure_int8(job, next(iter(chosen.delivery.libraries.values()))) if int8 else None,
    )
    return describe_result(
        job, goal, found, folder, imported_plan=imported_plan, plan_file=plan, started=started, command=command
    )


def _try_everything(job: Job, folder: Path, *, compare: int, front: int, front_accuracy: bool, note: Note) -> None:
    """Try what the search would fail at later, and tell ``note`` how long its trainings take."""
    training = job.settings.training
    networks = 2 + (compare + 1 if compare else 0) + (front if front_accuracy else 0)
    before_measuring(
        job.model,
        job.data,
        folder,
        job.state,
        trained=networks,
        built=networks + job.settings.selection.masks + 2 * front,
        trains=bool(training.float_epochs or training.epochs),
        batch_size=training.batch_size,
        progress=job.progress,
        note=note,
    )
    if words := training_words(job.model, job.data, training, tuned=networks - 1):
        note(words)
