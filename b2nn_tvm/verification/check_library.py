"""Check a finished library against onnxruntime: the library itself where this machine runs it, else a stand-in for it.

The results of a network do not depend on the target. So where this machine cannot run the library, the same network is
compiled for this machine and compared, and the library is run under an emulator where there is one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.devices.qemu import EMULATED as EMULATED_ARCHS
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.verification import EMULATED, SAME_NETWORK, THIS_LIBRARY, Verification, not_checked
from b2nn_tvm.errors import DeviceError, DeviceLost, TargetError, ToolchainError, VerificationError
from b2nn_tvm.targets import target as targets
from b2nn_tvm.verification.verify_artifact import INPUTS, NoReference, Undecided, verify_artifact

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.targets.target import TargetInfo

EMULATED_INPUTS = 1  # a network for images of 224 x 224 takes an emulator half a minute for each input
EMULATION_LIMIT_S = 120.0


def find_stand_in(target: TargetInfo) -> TargetInfo | None:
    """The target of this machine, for which a network is compiled as well to check a library for ``target``.

    It is None where this machine runs that library. Raises TargetError or ToolchainError where nothing can be compiled
    for this machine.
    """
    if target.runs_here:
        return None
    try:
        native = targets.get(targets.NATIVE)
        find_toolchain(native)
    except (TargetError, ToolchainError) as error:
        raise type(error)(
            f"this machine cannot run a library for {target.name}, so the check compiles the network for this machine, "
            f"too, which fails: {error}; or leave the check out with --no-verify"
        ) from None
    return native


def check_library(
    folder: Path,
    onnx_path: str | os.PathLike[str],
    *,
    sign_zero: str | None,
    build_stand_in: Callable[[Path], None] | None,
    say: Callable[[str], None],
) -> Verification:
    """Compare the library in ``folder`` with onnxruntime and return the kind and the result of the check.

    ``build_stand_in`` compiles the same network for this machine into a folder; it is None where this machine runs the
    library itself. Raises VerificationError where the library and onnxruntime disagree.
    """
    say("verify")
    try:
        with load(folder) as artifact:
            if build_stand_in is None:
                return Verification(THIS_LIBRARY, "", verify_artifact(artifact, onnx_path, sign_zero=sign_zero), INPUTS)
            say("verify: the same network on this machine")
            checked = _check_stand_in(build_stand_in, artifact.target, onnx_path, sign_zero)
            if reason := _no_emulator(artifact.target):
                return replace(checked, reason=reason)
            say("verify: the library under the emulator")
            return _check_emulated(artifact, checked, onnx_path, sign_zero)
    except NoReference as error:
        return not_checked(f"onnxruntime has no kernel for a part of it: {error.reason}")


def _check_stand_in(
    build: Callable[[Path], None], target: TargetInfo, onnx_path: str | os.PathLike[str], sign_zero: str | None
) -> Verification:
    what = f"the network, compiled for this machine because it cannot run a library for {target.name},"
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        build(Path(name))
        with load(name) as artifact:
            difference = verify_artifact(artifact, onnx_path, sign_zero=sign_zero, what=what)
    return Verification(SAME_NETWORK, "", difference, INPUTS)


def _no_emulator(target: TargetInfo) -> str:
    """The reason why libraries for ``target`` are not emulated here; empty where they are."""
    if target.arch not in EMULATED_ARCHS:
        return f"none is used for {target.arch}"
    try:
        find_emulator(target.arch)
    except DeviceError as error:
        return f"there is none for {target.arch}; {str(error).rpartition('; ')[2]}"
    return ""


def _check_emulated(
    artifact: Artifact, checked: Verification, onnx_path: str | os.PathLike[str], sign_zero: str | None
) -> Verification:
    """The verification ``checked`` with the emulator's result, or with the reason why the emulator gave no decisive
    answer.
    """
    cpu = artifact.target.emulator
    begun: list[float] = []

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        begun.append(time.monotonic())
        if begun[-1] - begun[0] > EMULATION_LIMIT_S:  # the inputs before had ties, and decided nothing
            raise DeviceLost(f"no input decided within {EMULATION_LIMIT_S:g} s")
        return EmulatorDevice(cpu, timeout_s=EMULATION_LIMIT_S).run(artifact, inputs)

    what = f"the compiled library, run under the emulator as {cpu},"
    try:
        difference = verify_artifact(
            artifact, onnx_path, sign_zero=sign_zero, run=run, what=what, needed=EMULATED_INPUTS
        )
    except (DeviceLost, Undecided) as error:
        return replace(checked, reason=str(error).partition("; ")[0])
    except DeviceError as error:
        raise VerificationError(
            f"the compiled library fails under the emulator as {cpu}: {error}; this is a fault of the compiler, please "
            "report it"
        ) from None
    return Verification(EMULATED, "", max(difference, checked.largest_difference), EMULATED_INPUTS)
