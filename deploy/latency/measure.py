"""The latency of a compiled network on a device: the wall time of the whole network and of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.system_facts import Conditions, DeviceDescription
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import Estimate
from b2nn_tvm.deploy.latency.disturbance import Disturbance, disturbance_of
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.interleave import FIRST_ROUNDS, digest_of, time_together
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.progress import Note, Progress, silent
from b2nn_tvm.version import __version__

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

SECONDS = 0.5
SHORTEST_MS, LONGEST_MS = 2.0, 60.0  # of a burst


@dataclass(frozen=True)
class LayerTime:
    """The times of one layer in milliseconds: undisturbed, as the observed median, and the least one.

    ``share`` is the layer's part of the sum of all layers' undisturbed times.
    """

    name: str
    undisturbed_ms: float
    median_ms: float
    min_ms: float
    share: float


@dataclass(frozen=True)
class Measurement:
    """The latency of one inference, in milliseconds.

    ``undisturbed_ms`` is the time that the network needs when nothing disturbs it, and ``low_ms`` to ``high_ms`` the 95
    % interval of this time: it decides, and budgets are about it. All other times are those of ``runs`` observed runs;
    ``spread`` is (p90 - p10) / median. ``per_layer`` is in order of execution and comes from ``profiles`` other runs in
    which every kernel was timed. ``target`` and ``isa`` are those of the level that ran, where a library has several;
    ``conditions`` are those of the device right after the last run, and ``disturbance`` is what disturbed the runs.
    """

    undisturbed_ms: float
    low_ms: float
    high_ms: float
    median_ms: float
    min_ms: float
    p10_ms: float
    p90_ms: float
    p99_ms: float
    spread: float
    runs: int
    threads: int
    per_layer: tuple[LayerTime, ...] = field(repr=False)
    target: str
    isa: str
    device: DeviceDescription
    profiles: int
    disturbance: Disturbance
    conditions: Conditions = Conditions()

    def to_dict(self) -> dict[str, Any]:
        """The measurement as JSON types."""
        return asdict(self)


def measure(
    artifact: Artifact,
    *,
    device: str | Device = "local",
    threads: int = 1,
    runs: int | None = None,
    warmup: int = 3,
    min_seconds: float = SECONDS,
    precision: float = 0.02,
) -> Measurement:
    """Measure a compiled network on ``device``, a word or an open device, with ``threads`` threads (0: one per CPU).

    Whole inferences and inferences in which every kernel is timed take turns, in bursts. It takes about
    ``min_seconds``, and longer where that is too short for ``runs`` inferences of both kinds or for the ``precision``,
    a share of the time. Raises DeviceError where the device cannot run the library or gives no true times, and
    InputError for values out of range.
    """
    if min_seconds <= 0:
        raise InputError(f"min_seconds: expected seconds above 0, but got {min_seconds}")
    burst_ms = min(max(min_seconds * 1e3 / (2 * FIRST_ROUNDS), SHORTEST_MS), LONGEST_MS)
    effort = Effort(precision=precision, runs=10 if runs is None else runs, burst_ms=burst_ms, warmup=warmup)
    if isinstance(device, str):
        with open_device(device) as where:
            return measure_with(artifact, device=where, threads=threads, effort=effort)
    return measure_with(artifact, device=device, threads=threads, effort=effort)


def measure_with(
    artifact: Artifact,
    *,
    device: Device,
    threads: int,
    effort: Effort,
    samples: Path | None = None,
    note: Note | None = None,
    progress: Progress = silent,
) -> Measurement:
    """Measure a compiled network with this effort; every burst is kept in the folder ``samples`` as it comes.

    What an earlier run left there counts. ``note`` is told of a tracker's board that is lost and replaced.
    """
    artifact, described = device.as_run_here(artifact), device.describe()
    record = record_of(artifact, described, threads, samples)
    name = digest_of(artifact)
    time_together(
        {name: artifact},
        reference=artifact,
        device=device,
        threads=threads,
        record=record,
        effort=effort,
        profiled=True,
        note=note,
        progress=progress,
        phase=f"measure on {device.address}",
    )
    return summarize(record, artifact=artifact, device=described, threads=threads, conditions=_conditions_now(device))


def measure_in_turn(
    artifacts: Sequence[Artifact],
    *,
    device: Device,
    threads: int,
    effort: Effort = Effort(),
    progress: Progress = silent,
) -> list[Measurement]:
    """Measure several compiled networks that take turns on one device; the first one is the reference of all."""
    described = device.describe()
    record = record_of(artifacts[0], described, threads, None)
    networks = {digest_of(artifact): artifact for artifact in artifacts}
    for profiled in (False, True):
        time_together(
            networks,
            reference=artifacts[0],
            device=device,
            threads=threads,
            record=record,
            effort=effort,
            profiled=profiled,
            progress=progress,
            phase="measure the layers in turn" if profiled else "measure the networks in turn",
        )
    now = _conditions_now(device)
    return [
        summarize(record, artifact=artifact, device=described, threads=threads, conditions=now)
        for artifact in artifacts
    ]


def _conditions_now(device: Device) -> Conditions:
    """The conditions of the device, unknown where it has just gone: what was measured counts all the same."""
    try:
        return device.conditions()
    except DeviceError:
        return Conditions()


def record_of(artifact: Artifact, device: DeviceDescription, threads: int, samples: Path | None) -> BurstRecord:
    """The record of a network that is measured alone, in the folder ``samples`` if there is one."""
    origin = {"device": device.fingerprint, "threads": threads, "target": artifact.target.name, "version": __version__}
    return BurstRecord(digest_of(artifact), origin, folder=samples)


def summarize(
    record: BurstRecord,
    *,
    artifact: Artifact,
    device: DeviceDescription,
    threads: int,
    conditions: Conditions = Conditions(),
) -> Measurement:
    """The statistics of ``artifact`` in a record in which it has whole and profiled bursts."""
    name = digest_of(artifact)
    runs, found = record.runs(name), record.estimate(name)
    p10, median, p90, p99 = (float(value) for value in np.percentile(runs, (10, 50, 90, 99)))
    return Measurement(
        undisturbed_ms=found.ms,
        low_ms=found.low_ms,
        high_ms=found.high_ms,
        median_ms=median,
        min_ms=float(runs.min()),
        p10_ms=p10,
        p90_ms=p90,
        p99_ms=p99,
        spread=(p90 - p10) / median if median else 0.0,
        runs=len(runs),
        threads=threads,
        per_layer=_per_layer(record, name, [step.layer for step in artifact.manifest.steps]),
        target=artifact.target.name,
        isa=artifact.target.vector,
        device=device,
        profiles=record.inferences(name, profiled=True),
        disturbance=disturbance_of(record),
        conditions=conditions,
    )


def _per_layer(record: BurstRecord, network: str, step_layers: list[str]) -> tuple[LayerTime, ...]:
    """The times of all layers; the steps of a layer are summed within each inference."""
    if not record.inferences(network, profiled=True):
        return ()
    estimates: dict[str, Estimate] = record.estimate_layers(network, step_layers)
    of_step = np.array([[layer == name for name in estimates] for layer in step_layers], dtype=float)
    layer_ms = record.steps(network) @ of_step
    total = sum(estimate.ms for estimate in estimates.values()) or 1.0
    return tuple(
        LayerTime(name, estimate.ms, float(median), float(least), estimate.ms / total)
        for (name, estimate), median, least in zip(
            estimates.items(), np.median(layer_ms, axis=0), layer_ms.min(axis=0), strict=True
        )
    )
