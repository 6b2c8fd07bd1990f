"""QEMU's user mode: where it is installed, and how a program of another architecture is started under it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.errors import DeviceError

FOLDER_VARIABLE = "B2NN_ARM_EMULATOR"
DEFAULT_FOLDER = Path("build") / "arm-emulator"
TIMEOUT_S = 600
EMULATED = ("aarch64", "armv7l")
_QEMU = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm"}
_GNU = {"aarch64": "aarch64-linux-gnu", "armv7l": "arm-linux-gnueabihf"}


@dataclass(frozen=True)
class Emulator:
    """An emulator and the C library of the emulated system; ``libraries`` is the folder of the emulator's own."""

    command: Path
    sysroot: Path
    libraries: Path | None

    def command_line(self, cpu: str) -> list[str]:
        """The words of a command line that stand before a program of the emulated system."""
        return [str(self.command), "-cpu", cpu, "-L", str(self.sysroot), "-U", "LD_LIBRARY_PATH"]

    def environment(self) -> dict[str, str]:
        """The environment in which the emulator finds its own libraries."""
        found = {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}
        return {**os.environ, **found}

    def run(self, cpu: str, words: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run a program of the emulated system on a ``cpu`` of QEMU's: ``words`` are QEMU's own options, if any, the
        program and its arguments. Raises subprocess.TimeoutExpired after ``timeout_s``.
        """
        return subprocess.run(
            [*self.command_line(cpu), *words],
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )

    @property
    def version(self) -> int:
        """QEMU's major version; 0 where QEMU does not tell it."""
        done = subprocess.run(
            [self.command, "--version"], env=self.environment(), check=False, capture_output=True, text=True
        )
        found = re.search(r"version (\d+)\.", done.stdout)
        return int(found[1]) if found else 0


def find_emulator(arch: str) -> Emulator:
    """The emulator for ``arch``: that in the folder that ``make arm-emulator`` fills, else that of the system.

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
