"""What this machine can do for a target: compile its libraries, run them, or run them under an emulator; and what it
lacks.
"""

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
    """``compiler`` and ``emulator`` say which is used, empty where there is none or, of the emulator, none is wanted;
    ``missing`` says what to get for what is lacking."""

    compiler: str
    runs: bool
    emulator: str
    missing: tuple[str, ...]


def readiness(target: TargetInfo) -> Readiness:
    """What this machine can do for ``target``."""
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
