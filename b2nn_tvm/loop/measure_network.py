"""Build a network with some layers binary and measure it: time depends on the structure alone, so no training comes
first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.fit import MeasuredNetwork
from b2nn_tvm.costs.table import CostRow, NetworkRow
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.loop.job import Job


@dataclass(frozen=True)
class NetworkTime:
    """One measured network: the median ``ms`` of ``runs`` runs, ``spread`` = (p90 - p10) / median, the library's
    size.
    """

    binary: tuple[str, ...]
    ms: float
    spread: float
    runs: int
    size_bytes: int
    device: str
    isa: str
    layers: tuple[CostRow, ...]

    @property
    def network(self) -> MeasuredNetwork:
        return MeasuredNetwork(self.binary, self.ms)


def measure_network(job: Job, binary: Iterable[str]) -> NetworkTime:
    """The time of the network with the ``binary`` layers, read from disk if it was measured before on the same machine.

    Raises UnsupportedError where the compiler leaves one of these layers float, and the errors of the compiler and the
    device.
    """
    chosen = tuple(name for name in job.eligible if name in set(binary))
    inputs = {**job.structure_inputs(), **job.deployment_inputs()}
    inputs |= {"binary": list(chosen), "machine": measuring_machine(job)}
    inputs["conversion"] = asdict(job.settings.conversion) if chosen else None

    def compute(folder: Path) -> dict[str, Any]:
        network = job.settings.conversion.convert(job.model, chosen)
        model = export_onnx(network, folder / "model.onnx", input_shape=(1, *job.data.input_shape))
        artifact = compile_model(model, target=job.settings.deployment.target, output=folder / "library", verify=False)
        _check_binary(artifact, chosen)
        with artifact:
            return _time(job, artifact)

    result = job.state.run(f"networks/{label_of(job, chosen)}", inputs, compute)
    rows = tuple(CostRow(**row) for row in result.pop("layers"))
    return NetworkTime(binary=chosen, layers=rows, **result)


def label_of(job: Job, binary: Collection[str]) -> str:
    """A short name for a choice of layers, such as "9-of-18-1d9854b8", which names the phases of this choice too."""
    chosen = " ".join(name for name in job.eligible if name in binary)
    return f"{len(binary)}-of-{len(job.eligible)}-{hashlib.sha256(chosen.encode()).hexdigest()[:8]}"


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
    )


def measuring_machine(job: Job) -> list[str]:
    """The device's name, board, CPU and operating system, which tell its times from the times of other machines."""
    with open_device(job.settings.deployment.device) as device:
        found = device.describe()
    return [found.name, found.board, found.cpu, found.system]


def _time(job: Job, artifact: Artifact) -> dict[str, Any]:
    deployment = job.settings.deployment
    found = measure(artifact, device=deployment.device, threads=deployment.threads)
    device = found.device.label
    precisions = {row.name: row.precision for row in artifact.layers}
    workloads = {layer.name: layer.workload.key for layer in job.layers}
    rows = [
        CostRow(
            layer=layer.name,
            workload=workloads.get(layer.name, ""),
            precision=precisions.get(layer.name, "float"),
            ms=layer.median_ms,
            runs=found.runs,
            spread=found.spread,
            target=deployment.target,
            device=device,
            threads=found.threads,
        )
        for layer in found.per_layer
    ]
    head = {"ms": found.median_ms, "spread": found.spread, "runs": found.runs, "device": device, "isa": found.isa}
    return {**head, "size_bytes": artifact.size_bytes, "layers": [asdict(row) for row in rows]}


def _check_binary(artifact: Artifact, chosen: tuple[str, ...]) -> None:
    rows = {row.name: row for row in artifact.layers}
    for name in chosen:
        if name not in rows or rows[name].precision != "binary":
            reason = rows[name].reason if name in rows else "no such layer in the compiled network"
            raise UnsupportedError(f"layer {name} was to be binary, but the compiler left it float: {reason}")
