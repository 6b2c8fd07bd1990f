"""The undisturbed times of the networks beside which all others are measured: settled once for a whole search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import NEAR, Estimate
from b2nn_tvm.deploy.latency.interleave import watch_reference
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import network_inputs
from b2nn_tvm.loop.measuring.second_reference import second_choice

REFERENCE = "times/reference"


def settle_references(
    job: Job, record: BurstRecord, reference: Artifact, second: Artifact | None, device: Device
) -> None:
    """The times of the float network and the second reference are settled once for a whole search, because all other
    times are stated by them; anew only where later bursts show that the machine was disturbed all the time then.
    """
    inputs = reference_inputs(job, machine_of(device))  # a board may serve one connection at a time

    def watch(_folder: Path) -> dict[str, Any]:
        threads = job.settings.deployment.threads
        watch_reference(reference, second=second, device=device, threads=threads, record=record)
        return levels_of(record)

    settled = job.state.run(REFERENCE, inputs, watch)
    if record.reference_bursts() and _is_faster(levels_of(record), settled):
        job.state.forget(REFERENCE)
        settled = job.state.run(REFERENCE, inputs, watch)
    record.settle_reference(*_estimates_of(settled))


def levels_of(record: BurstRecord) -> dict[str, Any]:
    """The undisturbed times of the float network and, where there is one, of the second reference, as JSON."""
    second = record.second_estimate()
    return asdict(record.reference_estimate()) | ({} if second is None else {"second": asdict(second)})


def _estimates_of(levels: Mapping[str, Any]) -> list[Estimate]:
    """The estimates that ``levels_of`` gives, from JSON."""
    first = {name: value for name, value in levels.items() if name != "second"}
    return [Estimate(**each) for each in (first, *([levels["second"]] if "second" in levels else []))]


def _is_faster(levels: Mapping[str, Any], settled: Mapping[str, Any]) -> bool:
    pairs = zip(_estimates_of(levels), _estimates_of(settled), strict=True)
    return any(now.ms * (1 + NEAR) < before.ms for now, before in pairs)


def level_inputs(settled: Mapping[str, Any]) -> dict[str, float]:
    """By which undisturbed times of the references times are stated, as inputs of a phase."""
    return dict(zip(("float_ms", "second_ms"), (each.ms for each in _estimates_of(settled)), strict=False))


def reference_inputs(job: Job, machine: list[str]) -> dict[str, Any]:
    """What decides the times of the references on a ``machine``, as inputs of a phase."""
    inputs, second = {**network_inputs(job, ()), "machine": machine}, second_choice(job)
    return {**inputs, "second": list(second)} if second else inputs


def machine_of(device: Device) -> list[str]:
    """The device's name, board, CPU and operating system, which tell its times from the times of other machines."""
    found = device.describe()
    return [found.name, found.board, found.cpu, found.system]
