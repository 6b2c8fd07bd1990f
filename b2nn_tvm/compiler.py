"""ONNX in, a library for the target out: frontend -> passes -> schedules -> deploy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, as_progress
from b2nn_tvm.schedules.tiles.tile_records import user_records_path

if TYPE_CHECKING:
    from b2nn_tvm.targets.target import TargetInfo

PHASES = ("import", "rewrite", "schedule", "generate code", "link", "verify")


def compile_model(
    onnx_path: str | os.PathLike,
    *,
    target: str = "native",
    output: str | os.PathLike,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
    tune: int = 0,
    device: str = "local",
    verify: bool = True,
    plan_digest: str = "",
    progress: Progress | None = None,
):
    """Compile an ONNX network into the folder ``output`` and return its Artifact.

    ``target`` is a word of ``b2nn-compile --list-targets``. ``tune`` > 0 measures up to that many tiles for each kernel
    on ``device``, a word as ``b2nn-profile`` takes it, or "static", which estimates for a CPU that is not at hand, and
    keeps the records in the user's cache. With ``verify`` the library is run on random inputs and compared with
    onnxruntime before it replaces what ``output`` holds; that is left out, and said in the last phase, where this
    machine cannot run the library or onnxruntime is not installed.

    Raises InputError, UnsupportedError, TargetError, ToolchainError or VerificationError.
    """
    from b2nn_tvm.deploy.codegen.build_kernels import build_object
    from b2nn_tvm.deploy.codegen.lower_to_program import LoweringContext, lower_to_program
    from b2nn_tvm.deploy.library.artifact import load
    from b2nn_tvm.deploy.library.build_library import BuildMetadata, build_library
    from b2nn_tvm.deploy.library.toolchain import find_toolchain
    from b2nn_tvm.frontend.import_onnx import import_onnx
    from b2nn_tvm.passes.fuse.zero_borders import zero_borders
    from b2nn_tvm.passes.pipeline import to_kernels
    from b2nn_tvm.schedules.schedule_module import schedule_module, vector_unit_named
    from b2nn_tvm.schedules.tiles.tile_records import load_records
    from b2nn_tvm.targets import target as targets
    from b2nn_tvm.verification.verify_artifact import installed, verify_artifact

    progress = as_progress(progress)
    say = lambda phase: progress("compile: " + phase, 0, 1)
    if tune < 0:
        raise InputError(f"tune is a number of trials, 0 or more, not {tune}")
    info = targets.get(target)
    find_toolchain(info)  # before the work: a missing linker is known at once
    say("import")
    imported = import_onnx(onnx_path, input_shapes=input_shapes, sign_zero=sign_zero)
    vector_unit = vector_unit_named(info.vector)
    tvm_target = info.tvm_target()
    say("rewrite")
    kernels = to_kernels(imported, vector_unit.layout, tvm_target)
    records = load_records(vector_unit.name, user_records_path(vector_unit.name))
    if tune:
        records = _tune(kernels.module, info, records, trials=tune, device=device, progress=progress)
    say("schedule")
    scheduled = schedule_module(kernels.module, vector_unit=vector_unit, records=records)
    module = zero_borders(scheduled.module)
    prefix = "b2nn_kernel_"
    say("generate code")
    kernel_object = build_object(module, tvm_target, prefix=prefix)
    context = LoweringContext(
        find_layer=kernels.book.find,
        descriptions=scheduled.descriptions,
        reasons={c.name: c.reason for c in kernels.convs},
        workspaces=kernel_object.workspaces,
        log=kernels.log,
    )
    program = lower_to_program(
        module,
        prefix=prefix,
        inputs=imported.input_names,
        outputs=imported.output_names,
        workspace_bytes=kernel_object.workspace_bytes,
        context=context,
    )
    say("link")
    metadata = BuildMetadata(model=Path(onnx_path).name, plan_digest=plan_digest)

    def check(folder: Path) -> None:
        say("verify")
        with load(folder) as artifact:
            verify_artifact(artifact, onnx_path, sign_zero=sign_zero)

    skipped = _not_verified(info, installed()) if verify else ""
    build_library(
        program, kernel_object.code, info, output, metadata=metadata, check=check if verify and not skipped else None
    )
    if skipped:
        say(f"verify: skipped, {skipped}")
    return load(output)


def _tune(module, target: TargetInfo, records, *, trials: int, device: str, progress: Progress):
    """The records with those that are measured on the device now."""
    from b2nn_tvm.deploy.devices.open_device import open_device
    from b2nn_tvm.deploy.estimate.static_bench import WORD, StaticBench
    from b2nn_tvm.deploy.latency.device_bench import DeviceBench
    from b2nn_tvm.schedules.tuning.tune import tune_module

    measure = lambda cpu, bench: tune_module(
        module,
        target=target,
        records=records,
        trials=trials,
        path=user_records_path(records.vector_unit),
        device=cpu,
        progress=progress,
        bench=bench,
    )
    if device == "local":  # in this process, without a library for each trial
        return measure(open_device(device).describe().cpu, None)
    if device == WORD:
        bench = StaticBench(target)
        return measure(bench.cpu, bench)
    with DeviceBench(device, target=target) as bench:
        return measure(bench.cpu, bench)


def _not_verified(target: TargetInfo, oracle_installed: bool) -> str:
    """Why a library cannot be verified here; empty where it can."""
    if not target.runs_here:
        return f"this machine cannot run a library for {target.name}; it lacks {', '.join(target.missing)}"
    return "" if oracle_installed else "onnxruntime is not installed (pip install onnxruntime)"
