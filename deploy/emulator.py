"""An emulated ARM board (QEMU user mode): runs the very library that ships, for correctness, never for time.

QEMU's ``-cpu`` is a true filter of instructions, so a run also proves that the library uses none that the CPU lacks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.build import RUNNER
from b2nn_tvm.deploy.device import DeviceDescription, Samples
from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact

FOLDER_VARIABLE = "B2NN_ARM_EMULATOR"
DEFAULT_FOLDER = Path("build") / "arm-emulator"
TIMEOUT_S = 600
_QEMU = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm"}
_GNU = {"aarch64": "aarch64-linux-gnu", "armv7l": "arm-linux-gnueabihf"}


@dataclass(frozen=True)
class Emulator:
    """An emulator and the C library of the emulated system; ``libraries`` is where the emulator finds its own."""

    command: Path
    sysroot: Path
    libraries: Path | None


class EmulatorDevice:
    """Runs a library under QEMU as ``cpu``, for example cortex-a53, cortex-a72 or cortex-a76."""

    def __init__(self, cpu: str) -> None:
        self.cpu = cpu

    def describe(self) -> DeviceDescription:
        return DeviceDescription(f"emulator:{self.cpu}", "QEMU user mode", self.cpu, "", 0, "", 0, 0, "emulated")

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        from b2nn_tvm.deploy.artifact import check_inputs

        arrays = check_inputs(artifact.inputs, inputs)
        emulator = find_emulator(artifact.target.arch)
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            folder = Path(name)
            arguments = ["--threads", str(threads)]
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

    def sample(self, artifact: Artifact, *, threads: int, runs: int | None, warmup: int, min_seconds: float) -> Samples:
        raise DeviceError(
            f"emulator:{self.cpu}: an emulator's time is not a latency; it only checks results. "
            "Measure on the board itself, or with --device local where the target is this machine"
        )

    def _start(self, emulator: Emulator, artifact: Artifact, arguments: list[str]) -> None:
        command = [emulator.command, "-cpu", self.cpu, "-L", emulator.sysroot, "-U", "LD_LIBRARY_PATH"]
        command += [artifact.folder.absolute() / RUNNER, artifact.library_path.absolute(), *arguments]
        environment = dict(os.environ)
        if emulator.libraries:
            environment["LD_LIBRARY_PATH"] = str(emulator.libraries)
        try:
            done = subprocess.run(
                list(map(str, command)),
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise DeviceError(f"emulator:{self.cpu}: no result after {TIMEOUT_S} s; use a smaller network") from None
        if done.returncode == 0:
            return
        lines = (done.stderr.strip() or "no message").splitlines()
        if done.returncode < 0:  # QEMU dies by the signal of the emulated program
            lines = [
                f"the library was stopped by signal {-done.returncode}; 4 means an instruction that {self.cpu} lacks"
            ]
        raise DeviceError(f"emulator:{self.cpu}: {lines[-1].removeprefix('error: ')}")


def find_emulator(arch: str) -> Emulator:
    """The emulator for ``arch``: of the folder that ``make arm-emulator`` fills, else installed in the system.

    The folder is ``$B2NN_ARM_EMULATOR``, by default build/arm-emulator. Raises DeviceError with the remedies.
    """
    if arch not in _QEMU:
        raise DeviceError(
            f"the emulator runs libraries for {', '.join(_QEMU)}, but this one is for {arch}; use --device local"
        )
    folder = Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER).absolute()
    for command, libraries in ((folder / "bin" / _QEMU[arch], folder / "lib"), (shutil.which(_QEMU[arch]), None)):
        for sysroot in (folder / f"sysroot-{arch}", Path("/usr") / _GNU[arch]):
            if command and Path(command).is_file() and (sysroot / "lib").is_dir():
                return Emulator(Path(command), sysroot, libraries)
    package = "libc6-arm64-cross" if arch == "aarch64" else "libc6-armhf-cross"
    raise DeviceError(
        f"no emulator for {arch}: found no {_QEMU[arch]} with a C library for it in {folder} or in the system; "
        f'get them with "make arm-emulator", or with "apt install qemu-user {package}"'
    )
