"""An emulated ARM board (QEMU user mode) that runs the very library that ships, for correctness, never for time.

QEMU's ``-cpu`` is a true filter of instructions, so a run also proves that the CPU has all instructions of the library.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.qemu import TIMEOUT_S, Emulator, find_emulator
from b2nn_tvm.deploy.devices.runner import level_words, network_file
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import DeviceDescription, SystemFacts
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


class EmulatorDevice(Device):
    """A device that runs libraries under QEMU as ``cpu``, for example cortex-a53, cortex-a72 or cortex-a76.

    ``run`` raises DeviceLost where it takes longer than ``timeout_s`` and where the emulator itself fails, for example
    because it does not know the CPU. It raises DeviceError where the library fails.
    """

    def __init__(self, cpu: str, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(f"emulator:{cpu}")
        self.cpu = cpu
        self._timeout_s = timeout_s

    def facts(self) -> SystemFacts:
        return SystemFacts({"board": "QEMU user mode", "machine": self.cpu, "system": "emulated"})

    def describe(self) -> DeviceDescription:
        return replace(super().describe(), emulated=True)

    def upload(self, artifact: Artifact) -> None:
        find_emulator(artifact.target.arch)

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        from b2nn_tvm.deploy.library.artifact import check_inputs

        arrays = check_inputs(artifact.inputs, inputs)
        emulator = find_emulator(artifact.target.arch)
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            folder = Path(name)
            arguments = ["--threads", str(threads), *level_words([artifact])]
            for index, array in enumerate(arrays):
                array.tofile(folder / f"input{index}")
                arguments += ["--input", str(folder / f"input{index}")]
            for index in range(len(artifact.outputs)):
                arguments += ["--output", str(folder / f"output{index}")]
            self._start(emulator, artifact, arguments)
            return {
                spec.name: np.fromfile(folder / f"output{index}", spec.dtype).reshape(spec.shape)
                for index, spec in enumerate(artifact.outputs)
            }

    def _sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        raise AssertionError("the base class refuses to time what is emulated")

    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        raise AssertionError("the base class refuses to time what is emulated")

    def _start(self, emulator: Emulator, artifact: Artifact, arguments: list[str]) -> None:
        words = [str(artifact.folder.absolute() / RUNNER), str(network_file(artifact).absolute()), *arguments]
        try:
            done = emulator.run(self.cpu, words, timeout_s=self._timeout_s)
        except subprocess.TimeoutExpired:
            raise DeviceLost(
                f"emulator:{self.cpu}: no result after {self._timeout_s:g} s; use a smaller network"
            ) from None
        if done.returncode == 0:
            return
        lines = (done.stderr.strip() or "no message").splitlines()
        if done.returncode < 0:  # QEMU dies by the signal of the emulated program
            lines = [
                f"the library was stopped by signal {-done.returncode}; 4 means an instruction that {self.cpu} lacks"
            ]
        # b2nn-run reports failures of the library as "error: ..."; QEMU and its loader complain in other words.
        kind = DeviceError if done.returncode < 0 or lines[-1].startswith("error: ") else DeviceLost
        raise kind(f"emulator:{self.cpu}: {lines[-1].removeprefix('error: ')}")
