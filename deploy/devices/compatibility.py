"""Checks that a device can run a library, or code for a target; the error says what the device could run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2nn_tvm.deploy.devices.runner import network_file
from b2nn_tvm.deploy.devices.system_facts import SystemFacts, describe
from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.targets.target import TargetInfo


def check_fit(artifact: Artifact, facts: SystemFacts, word: str) -> None:
    """Raise DeviceError, with a remedy, where the machine of ``facts``, called ``word``, cannot run the library."""
    check_target(artifact.target, facts, f"{word}: {artifact.folder} is compiled")
    library = artifact.manifest.library
    needed = tuple(map(int, library.glibc.split("."))) if library.glibc else ()
    if facts.glibc and facts.glibc < needed and network_file(artifact) == artifact.library_path:
        raise DeviceError(
            f"{word}: {artifact.folder} needs the GNU C library {library.glibc}, but this device has"
            f" {facts['libc'].removeprefix('glibc ')}; build it with the ziglang package (pip install"
            " 'b2nn-tvm[cross]'), which builds for 2.28 and later, compile it with --static, or update the board's"
            " system"
        )


def check_target(target: TargetInfo, facts: SystemFacts, what: str) -> None:
    """Raise DeviceError, beginning with ``what``, where the machine of ``facts`` cannot run code for ``target``."""
    from b2nn_tvm.targets import target as targets

    board = describe("", facts)
    what = f"{what} for target {target.name} ({target.description}), but this device"
    if board.arch != target.arch:
        known = [name for name in targets.names() if name != targets.NATIVE and targets.get(name).arch == board.arch]
        remedy = f"compile it with --target {' or '.join(known)}" if known else "no target fits it"
        bits = " in 32 bits" if facts.arch != facts["machine"] else ""
        raise DeviceError(f"{what} runs {board.arch}{bits} ({board.label}); {remedy}")
    missing = [flag for flag in target.requires if flag not in facts.features]
    if missing and facts.features and not facts.emulated:  # emulated /proc describes another machine
        raise DeviceError(
            f"{what} ({board.label}) lacks {', '.join(missing)}; compile it for a target that asks for less"
        )
