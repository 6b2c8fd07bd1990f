"""The undisturbed times of the networks beside which all others are measured: settled once for a whole search.

All milliseconds of a search are stated by them. Where later bursts show that the machine was disturbed when they were
settled, what was derived from the older milliseconds is stale: cost model, budget and choice. SettledAnew says so, and
``until_settled`` derives all of it again, from the kept bursts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import NEAR, Estimate
from b2nn_tvm.deploy.latency.interleave import watch_reference
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import network_inputs
from b2nn_tvm.loop.measuring.second_reference import second_choice

Result = TypeVar("Result")

REFERENCE = "times/reference"


class SettledAnew(Exception):
    """The references' times were settled anew, so that milliseconds of before are stale."""


def until_settled(work: Callable[[], Result], told: Callable[[], None] = lambda: None) -> Result:
    """What ``work`` gives, done again as long as the references' times are settled anew meanwhile; ``told`` is called
    before each repetition.

    It ends, because each time is lower than the one before by a share that tells it from noise.
    """
    while True:
        try:
            return work()
        except SettledAnew:
            told()


def settle_references(
    job: Job, record: BurstRecord, reference: Artifact, second: Artifact | None, device: Device
) -> None:
    """The times of the float network and the second reference are settled once for a whole search, because all other
    times are stated by them; anew where later bursts show that the machine was disturbed all the time then, unless the
    job ``keeps_levels``.

    Raises SettledAnew where earlier times of the job are stale now.
    """
    inputs = reference_inputs(job, machine_of(device))  # a board may serve one connection at a time

    def watch(_folder: Path) -> dict[str, Any]:
        threads = job.settings.deployment.threads
        watch_reference(reference, second=second, device=device, threads=threads, record=record)
        return levels_of(record)

    record.forget_levels()
    settled = job.state.run(REFERENCE, inputs, watch)
    if not job.keeps_levels and record.reference_bursts() and _is_faster(levels_of(record), settled):
        job.state.forget(REFERENCE)
        job.state.run(REFERENCE, inputs, watch)
        raise SettledAnew
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
    """By which undisturbed times of the references times are stated, as inputs of a phase; none where none are."""
    if not settled:
        return {}
    return dict(zip(("float_ms", "second_ms"), (each.ms for each in _estimates_of(settled)), strict=False))


def reference_inputs(job: Job, machine: list[str]) -> dict[str, Any]:
    """What decides the times of the references on a ``machine``, as inputs of a phase."""
    inputs, second = {**network_inputs(job, ()), "machine": machine}, second_choice(job)
    return {**inputs, "second": list(second)} if second else inputs


def machine_of(device: Device) -> list[str]:
    """The device's name, board, CPU and operating system, which tell its times from the times of other machines."""
    found = device.describe()
    return [found.name, found.board, found.cpu, found.system]
