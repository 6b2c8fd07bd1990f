"""Check a finished library against onnxruntime: the library itself where this machine runs it, else a stand-in for it.

The results of a network do not depend on the target. So where this machine cannot run the library, the same network is
compiled for this machine and compared, and the library is run under an emulator where there is one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from b2nn_tvm.deploy.devices.qemu import EMULATED as EMULATED_ARCHS
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.verification import EMULATED, SAME_NETWORK, THIS_LIBRARY, Verification, not_checked
from b2nn_tvm.errors import (
    B2nnError,
    DeviceError,
    DeviceLost,
    InputError,
    TargetError,
    ToolchainError,
    VerificationError,
)
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.targets import target as targets
from b2nn_tvm.verification.check_worker import Request
from b2nn_tvm.verification.find_layer import Layer, find_layer
from b2nn_tvm.verification.mismatch_file import read_arrays, write_arrays
from b2nn_tvm.verification.oracle import NoReference, invalid
from b2nn_tvm.verification.run_check import Disagrees, differences, run_check
from b2nn_tvm.verification.ties.show_sides import showing
from b2nn_tvm.verification.verify_artifact import Comparison, Undecided

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.manifest import Manifest
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


@dataclass(frozen=True)
class Source:
    """The file ``path`` from which a library was made, and the value of its Signs at 0; ``compile_here`` makes a
    library for this machine of such a file. What is wrong with a library goes into the file ``dump``, if one is given.
    """

    path: Path
    sign_zero: str | None
    compile_here: Callable[[Path, Path], None]
    dump: Path | None = None


def check_library(
    folder: Path,
    source: Source,
    *,
    build_stand_in: Callable[[Path], object] | None,
    say: Callable[[str], None],
) -> Verification:
    """Compare the library in ``folder`` with onnxruntime and return the kind and the result of the check.

    ``build_stand_in`` compiles the same network for this machine into a folder; it is None where this machine runs the
    library itself. Raises VerificationError where the library and onnxruntime disagree, and InputError where the file
    is not what the standard allows, so that neither is right.
    """
    say("verify")
    manifest = read_manifest(folder)  # nobody has touched the library yet, whose digest takes time
    target = manifest.target
    try:
        if build_stand_in is None:
            return _checked_here(folder, manifest, source, say)
        say("verify: the same network on this machine")
        what = f"the network, compiled for this machine because it cannot run a library for {target.name},"
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            build_stand_in(Path(name))
            found = _checked(Path(name), source, what, say)
        checked = Verification(SAME_NETWORK, "", found.largest_difference, found.inputs)
        if reason := _no_emulator(target):
            return replace(checked, reason=reason)
        say("verify: the library under the emulator")
        return _check_emulated(folder, manifest, checked, source, say)
    except NoReference as error:
        if fault := invalid(source.path):
            raise InputError(f"{source.path}: the file is no valid ONNX: {fault}; export it again") from None
        return not_checked(error.reason if error.reason.startswith("onnxruntime") else f"onnxruntime: {error.reason}")
    except Undecided as error:
        return not_checked(str(error).partition("; ")[0])


def _checked_here(folder: Path, manifest: Manifest, source: Source, say: Callable[[str], None]) -> Verification:
    """The verification of a library that this machine runs, at each of its levels for which this CPU has all."""
    if not manifest.levels:
        found = [_checked(folder, source, "the compiled library", say)]
        return Verification(THIS_LIBRARY, found[0].remark, found[0].largest_difference, found[0].inputs)
    ran, found, remarks = [], [], []
    for isa in manifest.isas:
        if missing := manifest.at_level(isa).target.missing:
            remarks.append(f"the level {isa} was not run, as this machine lacks {', '.join(missing)}")
            continue
        say(f"verify: the level {isa}")
        found.append(_checked(folder, source, f"the compiled library at its level {isa}", say, level=isa))
        ran.append(isa)
    remarks = [
        f"at the levels {', '.join(ran)}",
        *remarks,
        *dict.fromkeys(each.remark for each in found if each.remark),
    ]
    worst, inputs = max(each.largest_difference for each in found), min(each.inputs for each in found)
    return Verification(THIS_LIBRARY, "; ".join(remarks), worst, inputs)


def _checked(folder: Path, source: Source, what: str, say: Callable[[str], None], *, level: str = "") -> Comparison:
    """The comparison of a library that this machine runs, at one level if it has several; where it disagrees, the error
    names the layer.
    """
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        arrays = Path(name) / "mismatch.npz"
        request = Request(str(folder), str(source.path), source.sign_zero, str(arrays), what=what, level=level)
        try:
            return _compared(source, request, say)
        except Disagrees as error:
            say("verify: the library disagrees, looking for the layer")
            layer = _layer(source, replace(request, level=""))
            raise VerificationError(_report(error, source, arrays, layer)) from None


def _compared(source: Source, request: Request, say: Callable[[str], None]) -> Comparison:
    """The comparison; where rounding decides too much, with a library beside it that shows its sides.

    Raises Undecided where the network cannot be compiled with the outputs for that, or where they do not help.
    """
    try:
        return run_check(request)
    except Undecided as undecided:
        say("verify: rounding decides much, so the network is compiled with its sides as outputs")
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            path, folder = Path(name) / "shown.onnx", Path(name) / "shown"
            try:
                onnx.save(showing(load_model(source.path), undecided.sides), path)
                source.compile_here(path, folder)
            except B2nnError:  # what is right with few outputs may be refused with more
                raise undecided from None
            return run_check(replace(request, shows=str(folder)))


def _layer(source: Source, request: Request) -> Layer | None:
    """The first layer that differs, whose values are added to the arrays of the mismatch."""
    arrays = Path(request.arrays)
    groups = read_arrays(arrays)

    def compare(folder: Path, onnx_path: Path) -> dict[str, float]:
        found = differences(replace(request, folder=str(folder), onnx_path=str(onnx_path), same_inputs=True))
        inside = read_arrays(arrays)
        for group in ("expected", "got"):
            values = {name: value for name, value in inside[group].items() if name not in groups[group]}
            groups.setdefault(f"layers_{group}", {}).update(values)
        return found

    layer = find_layer(source.path, compile_here=source.compile_here, compare=compare)
    write_arrays(arrays, **groups)
    return layer


def _report(error: Disagrees, source: Source, arrays: Path, layer: Layer | None) -> str:
    """What a user can do with a mismatch, in one line."""
    where = layer.text if layer else "no layer differs where its value is an output: the fault is in how they are fused"
    if source.dump is None:
        kept = "--dump-mismatch FILE keeps the values"
    else:
        shutil.copyfile(arrays, source.dump)
        kept = f"the values are in {source.dump}"
    return f"{error}; {where}; this is a fault of the compiler, please report it with the file ({kept})"


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
    folder: Path, manifest: Manifest, checked: Verification, source: Source, say: Callable[[str], None]
) -> Verification:
    """The verification ``checked`` with the emulator's result at every level, each on the oldest CPU that it is for, or
    with the reason why the emulator gave no decisive answer.
    """
    worst, cpus = checked.largest_difference, []
    for isa in manifest.isas:
        level, cpu = (isa if manifest.levels else ""), manifest.at_level(isa).target.emulator
        try:
            found = _emulated(folder, cpu, level, source, say)
        except (DeviceLost, Undecided) as error:
            return replace(checked, reason=str(error).partition("; ")[0])
        worst = max(worst, found.largest_difference)
        cpus.append(f"{isa} on {cpu}")
    reason = f"at the levels {', '.join(cpus)}" if manifest.levels else ""
    return Verification(EMULATED, reason, worst, EMULATED_INPUTS)


def _emulated(folder: Path, cpu: str, level: str, source: Source, say: Callable[[str], None]) -> Comparison:
    """The comparison of a library that is run under the emulator as ``cpu``, at ``level`` if it has several."""
    at = f" at its level {level}" if level else ""
    what = f"the compiled library{at}, run under the emulator as {cpu},"
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        arrays = Path(name) / "mismatch.npz"
        request = Request(
            str(folder),
            str(source.path),
            source.sign_zero,
            str(arrays),
            what=what,
            needed=EMULATED_INPUTS,
            emulator=cpu,
            limit_s=EMULATION_LIMIT_S,
            level=level,
        )
        try:
            return _compared(source, request, say)
        except Disagrees as error:
            raise VerificationError(_report(error, source, arrays, None)) from None
        except DeviceLost:
            raise
        except DeviceError as error:
            raise VerificationError(
                f"the compiled library{at} fails under the emulator as {cpu}: {error}; this is a fault of the "
                "compiler, please report it"
            ) from None
