"""The latency of a compiled network on a device: the wall time of the whole network and of each layer."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.devices.device import BOARDS, Device
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Samples
from b2nn_tvm.deploy.devices.system_facts import Conditions, DeviceDescription
from b2nn_tvm.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


@dataclass(frozen=True)
class LayerTime:
    """The times of one layer in milliseconds; ``share`` is its part of the sum of all layers' medians."""

    name: str
    median_ms: float
    min_ms: float
    share: float


@dataclass(frozen=True)
class Measurement:
    """The latency of one inference, in milliseconds, over ``runs`` runs.

    ``spread`` is (p90 - p10) / median: above about 0.1 the machine was busy or changed its frequency. ``per_layer`` is
    in order of execution and comes from ``profiles`` separate runs in which every kernel was timed. ``isa`` is the
    target's instruction set; ``conditions`` are those of the device right after the last run.
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
    profiles: int = 0
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
    min_seconds: float = 0.5,
) -> Measurement:
    """Measure a compiled network on ``device``, a word or an open device, with ``threads`` threads (0: one per CPU).

    Without ``runs`` it repeats for ``min_seconds`` and at least ten times, but for slow networks no longer than three
    times ``min_seconds``. Raises DeviceError where the device cannot run the library or gives no true times.
    """
    effort = MeasurementSettings(runs=runs, warmup=warmup, min_seconds=min_seconds)
    if isinstance(device, str):
        with open_device(device) as where:
            return _measure(artifact, where, threads, effort)
    return _measure(artifact, device, threads, effort)


def _measure(artifact: Artifact, device: Device, threads: int, effort: MeasurementSettings) -> Measurement:
    for _ in range(BOARDS - 1 if device.has_replacements else 0):
        with contextlib.suppress(DeviceLost):  # then another board takes over
            return _measure_once(artifact, device, threads, effort)
    return _measure_once(artifact, device, threads, effort)


def _measure_once(artifact: Artifact, device: Device, threads: int, effort: MeasurementSettings) -> Measurement:
    samples = Samples.of(device.sample(artifact, threads=threads, effort=effort))
    return summarize(
        samples,
        layers=step_layers(artifact),
        artifact=artifact,
        device=device.describe(),
        conditions=device.conditions(),
    )


def step_layers(artifact: Artifact) -> list[str]:
    """The names of the layers of all steps, in the order of the steps."""
    return [step.layer for step in artifact.manifest.steps]


def summarize(
    samples: Samples,
    *,
    layers: list[str],
    artifact: Artifact,
    device: DeviceDescription,
    conditions: Conditions | None = None,
) -> Measurement:
    """The statistics of the samples; ``layers`` names the layer of each step.

    Raises DeviceError where the device gave no time of the whole network, or times of another number of kernels.
    """
    if not len(samples.run_ms) or samples.step_ms.shape[1:] not in ((), (len(layers),)):
        raise DeviceError(
            f"{device.name}: expected times of the whole network and of its {len(layers)} kernels, but got"
            f" {len(samples.run_ms)} of the whole and {samples.step_ms.shape[-1]} of kernels; is it another network's"
            " library that runs there?"
        )
    median, p10, p90 = (float(np.percentile(samples.run_ms, q)) for q in (50, 10, 90))
    return Measurement(
        median_ms=median,
        min_ms=float(samples.run_ms.min()),
        p10_ms=p10,
        p90_ms=p90,
        spread=(p90 - p10) / median if median else 0.0,
        runs=len(samples.run_ms),
        threads=samples.threads,
        per_layer=_per_layer(samples.step_ms, layers) if len(samples.step_ms) else (),
        target=artifact.target.name,
        isa=artifact.target.vector,
        device=device,
        profiles=len(samples.step_ms),
        conditions=conditions or Conditions(),
    )


def _per_layer(step_ms: np.ndarray, layers: list[str]) -> tuple[LayerTime, ...]:
    """The times of all layers: the steps of a layer are summed within each run, then the median over runs is taken."""
    names = list(dict.fromkeys(layers))
    layer_ms = np.zeros((len(step_ms), len(names)))
    for step, name in enumerate(layers):
        layer_ms[:, names.index(name)] += step_ms[:, step]
    medians, minima = np.median(layer_ms, axis=0), layer_ms.min(axis=0)
    total = float(medians.sum()) or 1.0
    return tuple(LayerTime(n, float(m), float(low), float(m) / total) for n, m, low in zip(names, medians, minima))
