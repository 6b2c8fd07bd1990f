"""Compile an ONNX file to a library: import it once, build it for the target, check the library."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, as_progress

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.deploy.library.verification import Verification
    from b2nn_tvm.plan import Plan


def compile_model(
    onnx_path: str | os.PathLike[str],
    *,
    target: str = "native",
    output: str | os.PathLike[str],
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
    tune: int = 0,
    device: str = "local",
    verify: bool = True,
    static: bool = False,
    plan_digest: str = "",
    binarize: Plan | str | os.PathLike[str] | None = None,
    dump_ir: str | os.PathLike[str] | None = None,
    dump_mismatch: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Compile an ONNX network into the folder ``output`` and return its Artifact.

    ``target`` is a word of ``b2nn-compile --list-targets``. ``tune`` > 0 measures up to that many tiles for each kernel
    on ``device`` and keeps the records in the user's cache; ``device`` is a word as ``b2nn-profile`` takes it, or
    "static", which estimates the times for a CPU that is not at hand. With ``verify`` the library is run on random
    inputs, in a process of its own, and compared with onnxruntime before it replaces the contents of ``output``; where
    they disagree, the inputs, outputs and values inside go into the file ``dump_mismatch``, an .npz. Where this machine
    cannot run the library, the same network is compiled for this machine and compared, and the library is run under an
    emulator where there is one. With ``static`` the program b2nn-run beside the library holds the network, too, and
    needs no library of the system. Where onnxruntime is not installed, or cannot run the file, or where rounding alone
    decides the outputs, nothing is compared. The manifest's ``verification`` says which check was done; the last phase
    also says so where onnxruntime is not installed. ``binarize``, a plan or the path of a plan.json, makes layers of a
    float network binary without training, for latency only: the answers are not those of the float network, as the
    manifest's ``build.note`` says, and it is the binary network that is compared. The folder ``dump_ir`` receives the
    module before and after each pass that changes it. ``progress`` is called along the way.

    Raises InputError, UnsupportedError, TargetError, ToolchainError or VerificationError.
    """
    import onnx

    from b2nn_tvm.build_for_target import Tuning, build_for_target
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.deploy.library.build_library import BuildMetadata
    from b2nn_tvm.deploy.library.toolchain import find_toolchain
    from b2nn_tvm.deploy.library.verification import not_checked
    from b2nn_tvm.frontend.binarize_onnx import binarize_onnx, latency_note
    from b2nn_tvm.frontend.import_onnx import import_onnx
    from b2nn_tvm.frontend.read_onnx import load_model
    from b2nn_tvm.plan import Plan
    from b2nn_tvm.targets import target as targets
    from b2nn_tvm.verification.check_library import Source, check_library, find_stand_in
    from b2nn_tvm.verification.oracle import installed

    progress = as_progress(progress)

    def say(phase: str) -> None:
        progress("compile: " + phase, 0, 1)

    if tune < 0:
        raise InputError(f"tune is a number of trials, 0 or more, not {tune}")
    info = targets.get(target)
    find_toolchain(info)  # before the work, so that a missing linker is known at once
    skipped = "" if installed() else "onnxruntime is not installed (pip install onnxruntime)"
    stand_in = find_stand_in(info) if verify and not skipped else None
    watch = _dumping(dump_ir)
    plan = Plan.load(binarize) if isinstance(binarize, str | os.PathLike) else binarize
    with tempfile.TemporaryDirectory(prefix="b2nn-") as scratch:
        source, note = Path(onnx_path), ""
        if plan is not None and plan.chosen:
            say("binarize")
            binary = binarize_onnx(load_model(onnx_path), plan, input_shapes=input_shapes, sign_zero=sign_zero)
            source, note = Path(scratch) / source.name, latency_note(plan)
            onnx.save(binary, source)
        say("import")
        networks = [import_onnx(source, input_shapes=input_shapes, sign_zero=sign_zero)]
        digest = plan_digest or (plan.digest if plan is not None else "")
        metadata = BuildMetadata(model=source.name, plan_digest=digest, note=note)
        build_stand_in = partial(build_for_target, networks[0], stand_in, metadata=metadata) if stand_in else None

        def compile_here(path: Path, folder: Path) -> None:
            values_shown = import_onnx(path, input_shapes=input_shapes, sign_zero=sign_zero)
            build_for_target(values_shown, targets.get(targets.NATIVE), folder, metadata=metadata)

        def check(folder: Path) -> Verification:
            if not verify or skipped:
                return not_checked(skipped if verify else "--no-verify")
            checked = Source(source, sign_zero, compile_here, Path(dump_mismatch) if dump_mismatch else None)
            return check_library(folder, checked, build_stand_in=build_stand_in, say=say)

        tuning = Tuning(tune, device, progress)
        # Without a stand-in nobody needs the imported weights any more, and the compiler may free them on its way.
        manifest = build_for_target(
            networks.pop(),
            info,
            output,
            metadata=metadata,
            tuning=tuning,
            static=static,
            say=say,
            check=check,
            watch=watch,
        )
    if verify and skipped:
        say(f"verify: skipped, {skipped}")
    return Artifact(Path(output), manifest)


def _dumping(folder: str | os.PathLike[str] | None) -> Callable[[], AbstractContextManager[object]]:
    """A maker of the contexts in which passes run: their changes are written into the ``folder``, if one is given."""
    from b2nn_tvm.passes.framework.dump_changes import DumpChanges, prepare_dump_folder, with_instrument

    if folder is None:
        return nullcontext
    dump = DumpChanges(prepare_dump_folder(folder))  # one instrument for all stages, because it counts the passes
    return lambda: with_instrument(dump)
