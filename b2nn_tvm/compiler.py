"""Compile an ONNX file to a library: import it once, build it for the target, check the library."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import PATH, check_arguments
from b2nn_tvm.faults.program_fault import faults_of, foreign
from b2nn_tvm.progress import Progress, as_progress
from b2nn_tvm.storage.try_to_write import try_to_write, try_to_write_file

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.deploy.library.verification import Verification
    from b2nn_tvm.frontend.pixels.find_meaning import Given
    from b2nn_tvm.plan import Plan
    from b2nn_tvm.targets.target import TargetInfo

FLOATS, PIXELS = "float32-nchw", "uint8-nhwc"
INPUT_FORMATS = (FLOATS, PIXELS)


_HINTS = {
    "onnx_path": PATH,
    "target": str,
    "output": PATH,
    "tune": int,
    "device": str,
    "plan_digest": str,
    "dump_ir": PATH | None,
    "dump_mismatch": PATH | None,
}


@faults_of("compiling the network")
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
    multi_level: bool = False,
    plan_digest: str = "",
    binarize: Plan | str | os.PathLike[str] | None = None,
    input_format: str = FLOATS,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    resize: str | int | None = None,
    channels: str | None = None,
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
    manifest's ``build.note`` says, and it is the binary network that is compared.

    With ``multi_level`` the library holds kernels for better CPUs of the target's family, too, and chooses some when it
    is loaded; every level that this machine can run is compared.

    How a picture becomes the network's input, and the names of its classes, go into the manifest: as the metadata of
    the file says, or as given by ``mean`` and ``std``, of pixels divided by 255, and ``labels``. With ``mean`` and
    ``std``, ``resize`` is "cover" (the middle of a picture; where None), "stretch", "none" or the pixels of a picture's
    shorter side, such as 256, and ``channels`` is "rgb" (where None) or "bgr". With ``input_format``
    "uint8-nhwc" the library takes the pixels and normalizes them itself; it gives the outputs that it would give for
    the normalized floats, which "float32-nchw" takes. The folder ``dump_ir`` receives the
    module before and after each pass that changes it. ``progress`` is called along the way.

    Raises InputError, UnsupportedError, TargetError, ToolchainError, DeviceError or VerificationError, and ProgramFault
    where this program itself fails; what ``progress`` raises ends the work and passes as it is.
    """
    from b2nn_tvm.build_for_target import Tuning, build_for_target
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.deploy.library.describe_library import BuildMetadata
    from b2nn_tvm.deploy.library.toolchain import find_toolchain
    from b2nn_tvm.deploy.library.verification import not_checked
    from b2nn_tvm.frontend.binarize_onnx import latency_note
    from b2nn_tvm.frontend.import_onnx import import_onnx
    from b2nn_tvm.frontend.pixels.find_meaning import Given, find_meaning
    from b2nn_tvm.plan import Plan
    from b2nn_tvm.targets import target as targets
    from b2nn_tvm.verification.check_library import Source, check_library, find_stand_in
    from b2nn_tvm.verification.oracle import installed

    progress = foreign(as_progress(progress))

    def say(phase: str) -> None:
        progress("compile: " + phase, 0, 1)

    check_arguments(
        {**_HINTS, "binarize": Plan | PATH | None},
        {
            "onnx_path": onnx_path,
            "target": target,
            "output": output,
            "tune": tune,
            "device": device,
            "plan_digest": plan_digest,
            "binarize": binarize,
            "dump_ir": dump_ir,
            "dump_mismatch": dump_mismatch,
        },
        onnx_path="give an ONNX file, which onnx.save writes of a model",
        target="b2nn-compile --list-targets has the words",
    )
    input_shapes = _checked_shapes(input_shapes)
    if tune < 0:
        raise InputError(f"tune is a number of trials, 0 or more, not {tune}")
    info = targets.get(target)
    levels = _levels_above(info, tune) if multi_level else ()
    find_toolchain(info)  # before the work, so that a missing linker is known at once
    if output is not None and os.path.exists(output) and not os.path.isdir(output):
        raise InputError(f"{output}: expected a folder for the library, but this is a file; give another name")
    try_to_write(output)
    if dump_mismatch is not None:
        try_to_write_file(dump_mismatch)
    if input_format not in INPUT_FORMATS:
        raise InputError(f"there is no input format {input_format!r}; choose one of {', '.join(INPUT_FORMATS)}")
    given = Given(mean, std, labels, resize, channels)
    skipped = "" if installed() else "onnxruntime is not installed (pip install onnxruntime)"
    stand_in = find_stand_in(info) if verify and not skipped else None
    watch = _dumping(dump_ir)
    plan = Plan.load(binarize) if isinstance(binarize, str | os.PathLike) else binarize
    digest = plan_digest or (plan.digest if plan is not None else "")
    with tempfile.TemporaryDirectory(prefix="b2nn-") as scratch:
        source, note, baked = _of_batch(Path(onnx_path), input_shapes, Path(scratch)), "", input_format == PIXELS
        plan = None if plan is None or not plan.chosen else plan
        if plan is not None or baked:
            say("binarize" if plan is not None else "bake the normalization")
            note = "" if plan is None else latency_note(plan)
            source = _rewritten(
                source,
                Path(scratch),
                plan,
                given if baked else None,
                input_shapes=input_shapes,
                sign_zero=sign_zero,
            )
            input_shapes = None if baked else input_shapes  # they are in the file now
        say("import")
        networks = [import_onnx(source, input_shapes=input_shapes, sign_zero=sign_zero)]
        told = Given(labels=labels) if baked else given  # the metadata has them now
        meaning = find_meaning(networks[0].meaning, told, inputs=networks[0].inputs, outputs=networks[0].outputs)
        metadata = BuildMetadata(model=source.name, plan_digest=digest, note=note, meaning=meaning)
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
            levels=levels,
            tuning=tuning,
            static=static,
            say=say,
            check=check,
            watch=watch,
        )
    if verify and skipped:
        say(f"verify: skipped, {skipped}")
    return Artifact(Path(output), manifest)


def _levels_above(info: TargetInfo, tune: int) -> tuple[TargetInfo, ...]:
    """The levels of a library for ``info`` above the first one; raises InputError without any, and with tuning."""
    from b2nn_tvm.targets import target as targets

    if tune:
        raise InputError(
            "tuning is for one instruction set, and a library of several levels has more; tune each target by itself"
            " first, whose records are kept, and then compile them together without tuning"
        )
    levels = targets.levels_above(info)
    if not levels:
        others = [name for name in targets.names()[:-1] if targets.levels_above(targets.get(name))]
        raise InputError(
            f"target {info.name} ({info.vector}) has no level above it, so that there is nothing to choose when the"
            f" library is loaded; leave --multi-level out, or compile for one of {', '.join(others)}"
        )
    return levels


def _checked_shapes(given: object) -> dict[str, tuple[int, ...]] | None:
    """The shapes as tuples of integers by the names of the inputs; raises InputError for anything else."""
    if given is None:
        return None
    try:
        return {name: tuple(index(size) for size in shape) for name, shape in dict(given).items()}  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise InputError(
            f"input_shapes: expected shapes by the names of the inputs, such as {{'input': (1, 3, 32, 32)}}, not "
            f"{given!r}"
        ) from None


def _of_batch(path: Path, shapes: Mapping[str, tuple[int, ...]] | None, folder: Path) -> Path:
    """The file, or one in ``folder`` with the same network for another batch, where the ``shapes`` ask for that."""
    import onnx

    from b2nn_tvm.frontend.batch.follow_batch import follow_batch
    from b2nn_tvm.frontend.read_onnx import load_model

    if not shapes or not follow_batch(model := load_model(path), shapes):
        return path
    onnx.save(model, folder / path.name)
    return folder / path.name


def _rewritten(
    source: Path,
    folder: Path,
    plan: Plan | None,
    baked: Given | None,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None,
    sign_zero: str | None,
) -> Path:
    """A file of the same name in ``folder`` with the layers of ``plan`` binary and, where ``baked`` says what is given
    of the data, with pixels as its input. All else is as it was, for what is compiled is checked against this file.
    """
    import onnx

    from b2nn_tvm.frontend.binarize_onnx import binarize_onnx
    from b2nn_tvm.frontend.pixels.bake_input import OLDEST_OPSET, bake_input
    from b2nn_tvm.frontend.read_onnx import load_model, load_unchanged

    model = load_unchanged(source)
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    if plan is not None or opset < OLDEST_OPSET:
        model = load_model(source)
    if plan is not None:
        model = binarize_onnx(model, plan, input_shapes=input_shapes, sign_zero=sign_zero)
    if baked is not None:
        bake_input(model, baked, input_shapes=input_shapes)
    path = folder / source.name
    onnx.save(model, path)
    return path


def _dumping(folder: str | os.PathLike[str] | None) -> Callable[[], AbstractContextManager[object]]:
    """A maker of the contexts in which passes run: their changes are written into the ``folder``, if one is given."""
    from b2nn_tvm.passes.framework.dump_changes import DumpChanges, prepare_dump_folder, with_instrument

    if folder is None:
        return nullcontext
    dump = DumpChanges(prepare_dump_folder(folder))  # one instrument for all stages, because it counts the passes
    return lambda: with_instrument(dump)
