"""What the fitted cost model is compared with: medians of networks that are measured one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.fit import MeasuredNetwork, fit
from b2nn_tvm.costs.table import CostRow, CostTable, ms_cost
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Samples
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import build_network

SECONDS = 0.5  # of each network


def medians_one_by_one(
    job: Job, fitted_to: Sequence[tuple[str, ...]], held_out: Sequence[tuple[str, ...]]
) -> tuple[AdditiveCost, list[float]]:
    """(The cost model fitted to medians, the medians of the other networks), each network measured alone for half a
    second.

    The first two of ``fitted_to``, all float and all binary, give the rows of the layers.
    """
    rows: list[CostRow] = []
    networks = []
    for choice in fitted_to:
        median_ms, layers = _alone(job, choice, layers=len(networks) < 2)
        networks.append(MeasuredNetwork(choice, median_ms))
        rows += layers
    cost = fit(ms_cost(CostTable(tuple(rows)), tuple(job.layers)), networks).cost
    return cost, [_alone(job, choice, layers=False)[0] for choice in held_out]


def _alone(job: Job, choice: tuple[str, ...], *, layers: bool) -> tuple[float, list[CostRow]]:
    """(The median of a network, rows of its layers) from runs in a row."""
    import numpy as np

    workloads = {layer.name: layer.workload.key for layer in job.layers}
    with build_network(job, choice) as artifact, LocalDevice() as device:
        samples = Samples.of(device.sample(artifact, threads=1, effort=MeasurementSettings(min_seconds=SECONDS)))
        steps = [step.layer for step in artifact.manifest.steps]
        precisions = {row.name: row.precision for row in artifact.layers}
    names = list(dict.fromkeys(steps)) if layers else []
    times = [np.median(samples.step_ms[:, [each == name for each in steps]].sum(axis=1)) for name in names]
    rows = [
        CostRow(name, workloads.get(name, ""), precisions.get(name, "float"), float(ms), 1, 0.0, "native", "local", 1)
        for name, ms in zip(names, times, strict=True)
    ]
    return float(np.median(samples.run_ms)), rows
