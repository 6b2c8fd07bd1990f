"""How fast a compiled network is on a device: wall time of the whole and of each layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.device import DeviceDescription, Samples, open_device
from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact


@dataclass(frozen=True)
class LayerTime:
    """One layer in milliseconds; ``share`` is its part of the sum over all layers' medians."""

    name: str
    median_ms: float
    min_ms: float
    share: float


@dataclass(frozen=True)
class Measurement:
    """Latency of one inference, in milliseconds, over ``runs`` runs.

    ``spread`` is (p90 - p10) / median: above about 0.1 the machine was busy or changed its frequency. ``per_layer`` is
    in order of execution and comes from separate runs in which every kernel was timed. ``isa`` is the target's
    instruction set.
    """

    median_ms: float
    min_ms: float
    p10_ms: float
    p90_ms: float
    spread: float
    runs: int
    threads: int
    per_layer: tuple[LayerTime, ...]
    target: str
    isa: str
    device: DeviceDescription

    def to_dict(self) -> dict[str, Any]:
        """The measurement as JSON types."""
        return asdict(self)


def measure(
    artifact: Artifact,
    *,
    device: str = "local",
    threads: int = 1,
    runs: int | None = None,
    warmup: int = 3,
    min_seconds: float = 0.5,
) -> Measurement:
    """Measure a compiled network on ``device`` with ``threads`` threads (0: one per CPU).

    Without ``runs`` it repeats for ``min_seconds`` and at least ten times, but for slow networks no longer than three
    times ``min_seconds``. Raises DeviceError where the device cannot run the library or gives no true times.
    """
    if runs is not None and runs < 1:
        raise InputError(f"runs: expected at least 1, but got {runs}")
    if warmup < 0 or min_seconds <= 0:
        raise InputError(f"expected warmup of 0 or more and min_seconds above 0, but got {warmup} and {min_seconds}")
    where = open_device(device)
    samples = where.sample(artifact, threads=threads, runs=runs, warmup=warmup, min_seconds=min_seconds)
    return summarize(
        samples, layers=[step.layer for step in artifact.manifest.steps], artifact=artifact, device=where.describe()
    )


def summarize(samples: Samples, *, layers: list[str], artifact: Artifact, device: DeviceDescription) -> Measurement:
    """Statistics of the samples; ``layers`` names the layer of each step."""
    median, p10, p90 = (float(np.percentile(samples.run_ms, q)) for q in (50, 10, 90))
    return Measurement(
        median_ms=median,
        min_ms=float(samples.run_ms.min()),
        p10_ms=p10,
        p90_ms=p90,
        spread=(p90 - p10) / median if median else 0.0,
        runs=len(samples.run_ms),
        threads=samples.threads,
        per_layer=_per_layer(samples.step_ms, layers),
        target=artifact.target.name,
        isa=artifact.target.vector,
        device=device,
    )


def _per_layer(step_ms: np.ndarray, layers: list[str]) -> tuple[LayerTime, ...]:
    """Sum the steps of a layer within each run, then take the median over runs."""
    names = list(dict.fromkeys(layers))
    layer_ms = np.zeros((len(step_ms), len(names)))
    for step, name in enumerate(layers):
        layer_ms[:, names.index(name)] += step_ms[:, step]
    medians, minima = np.median(layer_ms, axis=0), layer_ms.min(axis=0)
    total = float(medians.sum()) or 1.0
    return tuple(LayerTime(n, float(m), float(low), float(m) / total) for n, m, low in zip(names, medians, minima))
