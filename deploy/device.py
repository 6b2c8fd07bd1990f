"""Where a compiled network runs: the devices, by their word on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact


@dataclass(frozen=True)
class DeviceDescription:
    """What was measured on; empty strings and 0 where the device does not tell. Frequencies in MHz, memory in MiB."""

    name: str
    board: str
    cpu: str
    arch: str
    cpus: int
    governor: str
    max_mhz: int
    memory_mib: int
    system: str


@dataclass(frozen=True)
class Samples:
    """Wall times in milliseconds: ``run_ms`` [runs] of whole inferences, ``step_ms`` [profiled runs, steps]."""

    run_ms: np.ndarray
    step_ms: np.ndarray
    threads: int


class Device(Protocol):
    """A machine that runs compiled networks."""

    def describe(self) -> DeviceDescription: ...

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        """Compute the outputs by name; DeviceError where the device cannot."""

    def sample(self, artifact: Artifact, *, threads: int, runs: int | None, warmup: int, min_seconds: float) -> Samples:
        """Time whole inferences and, apart from those, single steps; DeviceError where the device cannot.

        ``runs`` None means as many as ``min_seconds`` take.
        """


WORDS = (
    "local (this machine), emulator:CPU (runs AArch64 and ARMv7 libraries for tests, for example emulator:cortex-a72)"
)


def open_device(word: str) -> Device:
    """The device that ``word`` names; DeviceError lists the choices where there is none."""
    kind, _, name = word.partition(":")
    if word == "local":
        from b2nn_tvm.deploy.local import LocalDevice

        return LocalDevice()
    if kind == "emulator" and name:
        from b2nn_tvm.deploy.emulator import EmulatorDevice

        return EmulatorDevice(name)
    raise DeviceError(f"unknown device {word!r}; the devices are {WORDS}")
