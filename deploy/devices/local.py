"""This machine as a device."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.runner import find_runner, interleave_words, level_words, runner_lines, turn_files
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import SystemFacts, read_facts
from b2nn_tvm.deploy.library.c_interface import Instance, aligned_empty

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

MIN_RUNS = 10
MAX_RUNS = 20_000
MIN_PROFILED = 5
# With the default of half a second, a network of any size under 100 ms is measured within two seconds.
MAX_STRETCH = 3.0

Times = TypeVar("Times")


class LocalDevice(Device):
    """A device that runs libraries in this process, and interleaved ones in a process of b2nn-run."""

    def __init__(self) -> None:
        super().__init__("local")

    def facts(self) -> SystemFacts:
        return read_facts()

    def upload(self, artifact: Artifact) -> None:
        artifact.instance(threads=1)

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        return artifact.run(inputs, threads=threads)

    def _sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        return time_instance(artifact.instance(threads=threads), artifact, effort)

    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        first, *others = (str(path.absolute()) for path in turn_files(artifacts, reference=reference))
        words = interleave_words(settings, threads=threads, reference=first, libraries=others)
        words += level_words((reference, *artifacts))
        yield from runner_lines([str(find_runner(reference).absolute()), *words], word=self.address)


def time_instance(instance: Instance, artifact: Artifact, effort: MeasurementSettings) -> Iterator[Sample]:
    """Time whole inferences, then inferences with every step timed; each sample is yielded as it comes."""
    inputs, outputs = example_inputs(artifact), [aligned_empty(s.shape, s.dtype) for s in artifact.outputs]
    for _ in range(effort.warmup):
        instance.run(inputs, outputs)
    run = lambda: instance.run(inputs, outputs)
    for run_ms in _repeat(run, effort.runs, effort.min_seconds, at_least=MIN_RUNS):
        yield Sample(instance.threads, run_ms=run_ms)
    profile = lambda: tuple(instance.profile(inputs, outputs).tolist())
    for step_ms in _repeat(profile, effort.runs, effort.min_seconds / 2, at_least=MIN_PROFILED):
        yield Sample(instance.threads, step_ms=step_ms)


def example_inputs(artifact: Artifact) -> list[np.ndarray]:
    """Inputs to measure with, the same each time: floats from a standard normal distribution, zeros of other dtypes."""
    generator, arrays = np.random.default_rng(0), []
    for spec in artifact.inputs:
        array = aligned_empty(spec.shape, spec.dtype)
        array[...] = generator.standard_normal(spec.shape) if array.dtype.kind == "f" else 0
        arrays.append(array)
    return arrays


def _repeat(measure: Callable[[], Times], runs: int | None, seconds: float, *, at_least: int) -> Iterator[Times]:
    """Call ``measure`` ``runs`` times and yield its results.

    Where ``runs`` is None, the calls go on until ``seconds`` have passed and there are ``at_least`` results, but no
    longer than MAX_STRETCH times ``seconds``.
    """
    done, start = 0, time.perf_counter()
    while runs is None or done < runs:
        yield measure()
        done += 1
        elapsed = time.perf_counter() - start
        enough = elapsed >= seconds and done >= at_least
        if runs is None and (enough or elapsed >= MAX_STRETCH * seconds or done >= MAX_RUNS):
            return
