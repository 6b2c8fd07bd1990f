"""From the bursts of a network to its time, and to the rows of costs.json."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.costs.table import CostRow, NetworkRow
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.interleave import digest_of
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.network_time import NetworkTime


def network_time(
    job: Job, choice: tuple[str, ...], artifact: Artifact, record: BurstRecord, device: Device, *, layers: bool
) -> NetworkTime:
    """The time of the network ``artifact``, with the layers of ``choice``; with ``layers``, also of its layers."""
    found, runs = record.estimate(digest_of(artifact)), record.runs(digest_of(artifact))
    p10, median, p90, p99 = (float(value) for value in np.percentile(runs, (10, 50, 90, 99)))
    return NetworkTime(
        binary=choice,
        ms=found.ms,
        spread=(p90 - p10) / median,
        runs=len(runs),
        size_bytes=artifact.size_bytes,
        device=device.describe().label,
        isa=artifact.target.vector,
        layers=_layer_rows(job, choice, artifact, record, device) if layers else (),
        low_ms=found.low_ms,
        high_ms=found.high_ms,
        median_ms=median,
        p90_ms=p90,
        p99_ms=p99,
        bursts=found.bursts,
        quiet=found.quiet,
        fingerprint=device.describe().fingerprint,
    )


def network_row(job: Job, time: NetworkTime) -> NetworkRow:
    """The row of costs.json for a measured network."""
    deployment = job.settings.deployment
    return NetworkRow(
        model=job.name,
        binary=time.binary,
        ms=time.ms,
        runs=time.runs,
        spread=time.spread,
        target=deployment.target,
        device=time.device,
        threads=deployment.threads,
        low_ms=time.low_ms,
        high_ms=time.high_ms,
        fingerprint=time.fingerprint,
    )


def _layer_rows(
    job: Job, choice: tuple[str, ...], artifact: Artifact, record: BurstRecord, device: Device
) -> tuple[CostRow, ...]:
    """A row for each layer, whose spread is the half of its interval as a share of its time."""
    precisions = {row.name: row.precision for row in artifact.layers} | precisions_of(choice)
    workloads = {layer.name: layer.workload.key for layer in job.layers}
    deployment, steps = job.settings.deployment, [step.layer for step in artifact.manifest.steps]
    return tuple(
        CostRow(
            layer=name,
            workload=workloads.get(name, ""),
            precision=precisions.get(name, "float"),
            ms=found.ms,
            runs=found.bursts,
            spread=found.precision,
            target=deployment.target,
            device=device.describe().label,
            threads=deployment.threads,
            low_ms=found.low_ms,
            high_ms=found.high_ms,
            fingerprint=device.describe().fingerprint,
        )
        for name, found in record.estimate_layers(digest_of(artifact), steps).items()
    )
