"""The abilities of this machine for a target: to compile its libraries, to run them, or to emulate them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from b2nn_tvm.deploy.devices.qemu import EMULATED, find_emulator
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import DeviceError, ToolchainError
from b2nn_tvm.targets.target import host_arch

if TYPE_CHECKING:
    from b2nn_tvm.targets.target import TargetInfo


@dataclass(frozen=True)
class Readiness:
    """The abilities of this machine for one target.

    ``compiler`` and ``emulator`` name the programs that are used; they are empty where there is none, or where no
    emulator is needed. ``missing`` says, for each missing ability, what to install.
    """

    compiler: str
    runs: bool
    emulator: str
    missing: tuple[str, ...]


def readiness(target: TargetInfo) -> Readiness:
    """The abilities of this machine for ``target``."""
    compiler = emulator = ""
    missing = []
    try:
        compiler = find_toolchain(target).version
    except ToolchainError as error:
        missing.append(f"to compile: {_remedy(error)}")
    if target.missing:
        missing.append(f"to run: {', '.join(target.missing)}")
    if host_arch() != target.arch and target.arch in EMULATED:
        try:
            emulator = f"{find_emulator(target.arch).command.name} -cpu {target.emulator}"
        except DeviceError as error:
            missing.append(f"to emulate: {_remedy(error)}")
    return Readiness(compiler, target.runs_here, emulator, tuple(missing))


def _remedy(error: Exception) -> str:
    """The last part of an error's text, which says what to do."""
    return str(error).rpartition("; ")[2]
