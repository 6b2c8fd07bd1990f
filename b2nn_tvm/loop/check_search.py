"""What is refused before a search begins, and a plan of other data made to fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.loop.settings import DeploymentSettings, SearchSettings, SelectionSettings, TrainingSettings
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.conversion.transfer import transfer
from b2nn_tvm.mixbin.network.layers import LayerTable
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.targets import target as targets


def settings_for_plan(settings: SearchSettings, plan: Plan) -> SearchSettings:
    """The settings with the plan's conversion, unless they have a conversion of their own."""
    if settings.selection.progressive:
        raise InputError("a plan says which layers become binary, and so does a progressive order: give one of them")
    if plan.conversion and settings.conversion == DEFAULT:
        options: dict[str, Any] = dict(plan.conversion)
        return replace(settings, conversion=ConversionOptions(**options))
    return settings


def check_front(front: int, selection: SelectionSettings, plan: Plan | None) -> None:
    """Raise InputError for a front of one point, or for one of choices that have no scores."""
    if front == 1 or front < 0:
        raise InputError(f"a front needs at least 2 points, but got {front}")
    if front and (plan is not None or not selection.needs_scores):
        raise InputError("a front is of choices by scores, and neither a plan nor this progressive order has scores")


def check_head(training: TrainingSettings, *, ignore_head: bool) -> None:
    """Raise InputError where a new head would not be trained."""
    if ignore_head and training.float_epochs == 0:
        raise InputError("a head that starts anew needs training before layers are scored: allow some float epochs")


def imported_plan_for(loaded_plan: Plan, layers: LayerTable, name: str) -> Plan:
    """``loaded_plan`` transferred to the network's layers; raises InputError where it does not fit."""
    plan = transfer(loaded_plan, layers, model=name)
    if Precision.WEIGHT_BINARY in plan.layers.values():
        raise InputError(
            "expected a plan of float and binary layers, but it has some whose weights alone are binary: they save no"
            " time"
        )
    return plan


def check_device(deployment: DeploymentSettings) -> None:
    """Raise DeviceError where the device cannot time code for the target."""
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


def reasons_of(layers: LayerTable) -> str:
    """Why each layer stays float, in one line."""
    return "; ".join(f"{layer.name}: {layer.reason}" for layer in layers)
