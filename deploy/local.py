"""This machine as a device."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.device import DeviceDescription, Samples
from b2nn_tvm.deploy.library import aligned_empty

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact

MIN_RUNS = 10
MAX_RUNS = 20_000
MIN_PROFILED = 5
# With the default of half a second, a network of any size under 100 ms is measured within two seconds.
MAX_STRETCH = 3.0

# /proc/cpuinfo of ARM gives part numbers only (Arm's "MIDR_EL1" tables, implementer 0x41).
_ARM_PARTS = {
    "0xc07": "Cortex-A7", "0xc08": "Cortex-A8", "0xc09": "Cortex-A9", "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1", "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2",
}  # fmt: skip


class LocalDevice:
    """Runs libraries in this process."""

    def describe(self) -> DeviceDescription:
        cpuinfo = _read("/proc/cpuinfo")
        frequency = _read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
        memory = re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
        return DeviceDescription(
            name="local",
            board=_read("/proc/device-tree/model").strip("\0\n "),
            cpu=cpu_name(cpuinfo),
            arch=platform.machine(),
            cpus=len(os.sched_getaffinity(0)),
            governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
            max_mhz=int(frequency) // 1000 if frequency.strip().isdigit() else 0,
            memory_mib=int(memory[1]) // 1024 if memory else 0,
            system=f"{platform.system()} {platform.release()}",
        )

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        return artifact.run(inputs, threads=threads)

    def sample(self, artifact: Artifact, *, threads: int, runs: int | None, warmup: int, min_seconds: float) -> Samples:
        instance = artifact.instance(threads=threads)
        inputs, outputs = example_inputs(artifact), [aligned_empty(s.shape, s.dtype) for s in artifact.outputs]
        for _ in range(warmup):
            instance.run(inputs, outputs)
        one = lambda: instance.run(inputs, outputs)
        run_ms = _repeat(one, runs, min_seconds, at_least=MIN_RUNS)
        profiled = None if runs is None else min(runs, len(run_ms))
        step_ms = _repeat(lambda: instance.profile(inputs, outputs), profiled, min_seconds / 2, at_least=MIN_PROFILED)
        return Samples(np.array(run_ms), np.array(step_ms), instance.threads)


def example_inputs(artifact: Artifact) -> list[np.ndarray]:
    """Inputs to measure with, the same each time: floats from a standard normal distribution, zeros of other dtypes."""
    generator, arrays = np.random.default_rng(0), []
    for spec in artifact.inputs:
        array = aligned_empty(spec.shape, spec.dtype)
        array[...] = generator.standard_normal(spec.shape) if array.dtype.kind == "f" else 0
        arrays.append(array)
    return arrays


def cpu_name(cpuinfo: str) -> str:
    """The CPU's name from the text of /proc/cpuinfo: x86 states it, ARM gives part numbers."""
    if names := re.findall(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE):
        return names[0].strip()
    parts = sorted(set(re.findall(r"^CPU part\s*:\s*(\S+)$", cpuinfo, re.MULTILINE)))
    return " + ".join(_ARM_PARTS.get(part.lower(), f"part {part}") for part in parts) or platform.processor()


def _repeat(measure, runs: int | None, seconds: float, *, at_least: int) -> list:
    """Measure ``runs`` times; where None, for ``seconds`` and ``at_least`` times, but at most thrice as long."""
    results, start = [], time.perf_counter()
    while True:
        results.append(measure())
        elapsed = time.perf_counter() - start
        if runs is not None:
            if len(results) >= runs:
                return results
        elif (
            (elapsed >= seconds and len(results) >= at_least)
            or elapsed >= MAX_STRETCH * seconds
            or len(results) >= MAX_RUNS
        ):
            return results


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
