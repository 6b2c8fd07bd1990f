"""What is refused before a search begins, and a plan of other data made to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from b2nn_tvm.compiler import PIXELS
from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.costs.precisions import BINARY_OR_FLOAT
from b2nn_tvm.data import DataBundle
from b2nn_tvm.deploy.devices.device import MAX_THREADS
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.loop.measuring.int8_beside import check_int8
from b2nn_tvm.loop.progressive import check_progression
from b2nn_tvm.loop.settings import DeploymentSettings, SearchSettings, SelectionSettings, TrainingSettings
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.conversion.transfer import transfer
from b2nn_tvm.mixbin.network.layers import LayerTable
from b2nn_tvm.mixbin.network.outputs import ends_in_softmax, output_shapes, take_output
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.progress import Note
from b2nn_tvm.targets import target as targets
from b2nn_tvm.words.number_of import number_of

# What RepVGG, MobileOne, FastViT, YOLO and their kin call it.
_MERGING = ("reparameterize", "switch_to_deploy", "fuse", "merge_bn")


def settings_for_plan(settings: SearchSettings, plan: Plan) -> SearchSettings:
    """The settings with the plan's conversion, unless they have a conversion of their own.

    Raises InputError where they have a progressive order, which chooses layers as the plan does.
    """
    if settings.selection.progressive:
        raise InputError("a plan says which layers become binary, and so does a progressive order: give one of them")
    if plan.conversion and settings.conversion == DEFAULT:
        options: dict[str, Any] = dict(plan.conversion)
        return replace(settings, conversion=ConversionOptions(**options))
    return settings


def check_settings(
    settings: SearchSettings,
    budgets: Sequence[Budget],
    plan: Plan | None,
    *,
    compare: int,
    front: int,
    int8: bool,
    ignore_head: bool,
    scheduler: str | None,
    note: Note,
) -> None:
    """Refuse what can be refused without the data and the network, with the error of the check that fails first."""
    selection, deployment = settings.selection, settings.deployment
    check_progression(selection, budgets, compare=compare)
    check_front(front, selection, plan)
    check_more_precisions(selection, compare=compare)
    check_scheduler(scheduler, selection, plan)
    for word in deployment.targets:  # an unknown target or a missing compiler is refused before any work
        find_toolchain(targets.get(word))
    check_device(deployment, note=note)
    if int8:
        check_int8(deployment.device)
    check_head(settings.training, ignore_head=ignore_head)


def check_front(front: int, selection: SelectionSettings, plan: Plan | None) -> None:
    """Raise InputError for a front of one point, or for one of choices that have no scores."""
    if front == 1 or front < 0:
        raise InputError(f"a front needs at least 2 points, but got {front}")
    if front and (plan is not None or not selection.needs_scores):
        raise InputError("a front is of choices by scores, and neither a plan nor this progressive order has scores")


def check_more_precisions(selection: SelectionSettings, *, compare: int) -> None:
    """Raise InputError for what a search over more precisions than binary and float does not have."""
    if compare and selection.precisions != BINARY_OR_FLOAT:
        raise InputError("random choices to compare with are of binary layers; give the precisions 1,32, or no compare")


def check_scheduler(scheduler: str | None, selection: SelectionSettings, plan: Plan | None) -> None:
    """Raise InputError for a scheduler that does not answer or has no workers, and where nothing is scored."""
    if scheduler is None:
        return
    if plan is not None or not selection.needs_scores:
        raise InputError("a scheduler is for scoring layers, and neither a plan nor this progressive order has scores")
    with DaskPool(scheduler):
        pass


def check_head(training: TrainingSettings, *, ignore_head: bool) -> None:
    """Raise InputError where a new head would not be trained."""
    if ignore_head and training.float_epochs == 0:
        raise InputError("a head that starts anew needs training before layers are scored: allow some float epochs")


def check_pixels(deployment: DeploymentSettings, data: DataBundle) -> None:
    """Raise InputError where the libraries are to normalize pixels, and the data do not say how."""
    if deployment.input_format == PIXELS and data.preprocess is None:
        raise InputError(
            f"the libraries cannot take pixels, because the data {data.name} do not say how a picture becomes an input:"
            " give the DataBundle a preprocess, or leave out the input uint8-nhwc"
        )


def imported_plan_for(loaded_plan: Plan, layers: LayerTable, name: str, precisions: Sequence[str]) -> Plan:
    """``loaded_plan`` transferred to the network's layers; raises InputError where it does not fit, and where its
    precisions are not among those of the search, whose costs are measured.
    """
    plan = transfer(loaded_plan, layers, model=name)
    missing = {str(each) for each in plan.layers.values()} - {*precisions, Precision.WEIGHT_BINARY.value}
    if missing:
        raise InputError(
            f"the plan has layers of {', '.join(sorted(missing))}: name them among the precisions of the search, which"
            f" are {', '.join(precisions)} now"
        )
    if Precision.WEIGHT_BINARY in plan.layers.values():
        raise InputError(
            "expected a plan of float and binary layers, but it has some whose weights alone are binary: they save no"
            " time"
        )
    return plan


def choose_output(network: nn.Module, data: DataBundle, name: str | None, *, note: Note) -> None:
    """Let ``network`` give class scores alone, in place: its tensor ``name``, or where that is None its first one.

    Networks may give other tensors while they are trained, such as those of auxiliary heads. ``note`` is told what was
    chosen. Raises InputError where there is no such tensor, where it is not class scores for the ``data``, and where
    the forward pass fails.
    """
    shape = (2, *data.input_shape)
    given = output_shapes(network, shape)
    trained = output_shapes(network, shape, training=True)
    several = {**given, **trained}
    if name is not None and name not in given:
        raise InputError(f"the network gives no {name!r}; it gives {_listed(given)}")
    chosen = next(iter(given)) if name is None else name
    if list(several) != [""]:
        take_output(network, chosen)
        when = "" if given.keys() == trained.keys() else ", and while it is trained " + _listed(trained)
        why = "; --output-of NAME chooses another" if name is None and len(given) > 1 else ""
        note(f"the network gives {_listed(given)}{when}: {chosen or 'the first'!r} is used alone{why}")
    scores = given[chosen]
    if len(scores) != 2 or scores[0] != shape[0]:
        raise InputError(
            f"a search needs class scores of shape [N, {data.classes}], but the network gives {_listed(given)} for"
            f" {shape[0]} images; choose an output with --output-of, or give a network that ends in scores"
        )
    if scores[1] < data.classes:
        raise InputError(
            f"the network gives {number_of(scores[1], 'score')}, but the data {data.name} has {data.classes} classes;"
            f" build it for {data.classes} classes (a factory that takes the argument classes gets their number)"
        )
    if ends_in_softmax(network, shape):
        note("the network ends in a softmax, but the training takes the scores in front of it: leave the softmax out")
    if scores[1] > data.classes:
        note(f"the network gives {scores[1]} scores for the {data.classes} classes of {data.name}: the first are used")


def hint_at_merging(network: nn.Module, *, note: Note) -> None:
    """Tell ``note`` of methods that merge parallel branches into one layer, as re-parameterised networks have them."""
    found = {name for module in network.modules() for name in _MERGING if callable(getattr(module, name, None))}
    if found:
        note(
            f"modules of the network have a method {' and '.join(sorted(found))}: where it merges branches into one"
            " layer, call it before the search, so that the layer becomes binary and not its branches"
        )


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The outputs with their shapes for one image, the batch left out."""
    return ", ".join(f"{name or 'one tensor'} [{'x'.join(map(str, shape[1:]))}]" for name, shape in shapes.items())


def check_device(deployment: DeploymentSettings, *, note: Note = lambda text: None) -> None:
    """Raise DeviceError where the device cannot be reached, or cannot time code for the target; InputError for more
    threads than any device takes. ``note`` is told where threads have to share CPUs.
    """
    info = targets.get(deployment.target)
    if deployment.threads > MAX_THREADS:
        raise InputError(f"threads: expected at most {MAX_THREADS}, but got {deployment.threads}")
    with open_device(deployment.device) as device:
        if deployment.device != "local":
            device.check(info)
        if info.runs_here or deployment.device != "local":
            if crowd := device.describe().crowd(deployment.threads):
                note(crowd)
            return
    raise DeviceError(
        f"times are measured on device local, which cannot run code for target {info.name} (it lacks"
        f" {', '.join(info.missing)}); measure on a device that can (--device), or search for target native"
        f" and compile the result for {info.name}, too (--also {info.name})"
    )


def reasons_of(layers: LayerTable) -> str:
    """Why each layer stays float, in one line."""
    return "; ".join(f"{layer.name}: {layer.reason}" for layer in (*layers, *layers.others)) or "none"
