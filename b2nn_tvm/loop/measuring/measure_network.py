"""Measure networks with different layers binary: all of them are built first, then they take turns on the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.interleave import digest_of, time_together
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import build_network, in_order, label_of, network_inputs
from b2nn_tvm.loop.measuring.build_side_by_side import build_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.measuring.second_reference import second_reference
from b2nn_tvm.loop.measuring.settle_references import (
    REFERENCE,
    level_inputs,
    levels_of,
    machine_of,
    reference_inputs,
    settle_references,
    until_settled,
)
from b2nn_tvm.loop.measuring.time_rows import network_time
from b2nn_tvm.version import __version__

MEASURE = "measure networks in turn"
MEASURE_LAYERS = "measure their layers"
SAMPLES = "costs.json.samples"
SURE = 20  # bursts of a network whose time has to hold: those of a few sessions may agree by chance
FINEST = 0.005  # an interval cannot be had more precisely than this share of the time


def measure_networks(
    job: Job, choices: Sequence[Iterable[str]], *, layers: bool = False, finer: bool = False
) -> list[NetworkTime]:
    """The times of the networks with these layers binary, from disk where they were measured before on this machine.

    The networks take turns with the all-float network, so that other programs disturb all of them alike, and with the
    all-binary one where weights are many (second_reference). Every burst is kept in the folder ``costs.json.samples``
    as it comes. With ``layers`` each layer is measured as well; with ``finer`` the times are twice as precise as the
    settings ask for, where that can be had, and from SURE bursts. All times are in milliseconds of one settled time of
    these references.

    Raises SettledAnew where that time turns out to have been settled while something slowed the machine down, so that
    times of earlier calls are stale; UnsupportedError where the compiler leaves one of these layers float; and the
    errors of the compiler and the device.
    """
    chosen = [in_order(job, choice) for choice in choices]
    machine = measuring_machine(job)
    share = max(job.settings.deployment.precision / 2, FINEST) if finer else job.settings.deployment.precision
    kind = "layer-times" if layers else "finer-times" if finer else "times"
    known = job.state.finished(REFERENCE, reference_inputs(job, machine))
    times = {choice: _finished(job, choice, machine, kind, share, known) for choice in chosen}
    if missing := [choice for choice, time in times.items() if time is None]:
        artifacts = build_networks(job, missing)

        def measure() -> dict[tuple[str, ...], NetworkTime]:
            with open_device(job.settings.deployment.device) as device:
                record = measure_beside_float(
                    job, device, artifacts.values(), share=share, least=SURE if finer else 0, layers=layers
                )
                found = [network_time(job, *each, record, device, layers=layers) for each in artifacts.items()]
            return {each.binary: _keep(job, each, machine, kind, share, levels_of(record)) for each in found}

        times |= measure() if known else until_settled(measure)  # without earlier times none is stale
    return [time for choice in chosen if (time := times[choice]) is not None]


def measure_beside_float(
    job: Job,
    device: Device,
    artifacts: Iterable[Artifact],
    *,
    share: float | None = None,
    least: int = 0,
    layers: bool = False,
) -> BurstRecord:
    """The record of the job's bursts on the device, with enough bursts of ``artifacts`` beside the all-float network,
    and the second reference if there is one.

    The precision is the settings', or another ``share``; there are at least ``least`` bursts of each. Raises
    SettledAnew, see ``measure_networks``.
    """
    reference, second, deployment = build_network(job, ()), second_reference(job), job.settings.deployment
    networks = {digest_of(artifact): artifact for artifact in artifacts}
    origin = {"device": device.describe().fingerprint, "target": deployment.target, "threads": deployment.threads}
    record = BurstRecord(
        digest_of(reference),
        {**origin, "version": __version__},
        second="" if second is None else digest_of(second),
        folder=job.state.folder.parent / SAMPLES,
    )
    settle_references(job, record, reference, second, device)
    for profiled in (False, True) if layers else (False,):
        time_together(
            networks,
            reference=reference,
            second=second,
            device=device,
            threads=deployment.threads,
            record=record,
            effort=Effort(share or deployment.precision, least=least),
            profiled=profiled,
            progress=job.progress,
            phase=MEASURE_LAYERS if profiled else MEASURE,
        )
    settle_references(job, record, reference, second, device)  # by what is known of the machine now
    return record


def measuring_machine(job: Job) -> list[str]:
    """The device's name, board, CPU and operating system, which tell its times from the times of other machines."""
    with open_device(job.settings.deployment.device) as device:
        return machine_of(device)


def _finished(
    job: Job,
    choice: tuple[str, ...],
    machine: list[str],
    kind: str,
    share: float,
    settled: Mapping[str, Any] | None,
) -> NetworkTime | None:
    """The time of a network that was measured before; None where it was not, or not in the same way, or in the
    milliseconds of another time of the float network than the ``settled`` one.
    """
    if not settled:
        return None
    found = job.state.finished(_phase(job, choice, kind), _inputs(job, choice, machine, share, settled))
    return None if found is None else NetworkTime.from_json(found)


def _keep(
    job: Job, time: NetworkTime, machine: list[str], kind: str, share: float, settled: Mapping[str, Any]
) -> NetworkTime:
    inputs = _inputs(job, time.binary, machine, share, settled)
    return NetworkTime.from_json(job.state.run(_phase(job, time.binary, kind), inputs, lambda _folder: asdict(time)))


def _phase(job: Job, choice: tuple[str, ...], kind: str) -> str:
    return f"{kind}/{label_of(job, choice)}"


def _inputs(
    job: Job, choice: tuple[str, ...], machine: list[str], share: float, settled: Mapping[str, Any]
) -> Mapping[str, Any]:
    return {**network_inputs(job, choice), "machine": machine, "precision": share, **level_inputs(settled)}
