"""An imported network -> a library for one target: passes -> schedules -> deploy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from b2nn_tvm.deploy.codegen.build_kernels import build_kernels
from b2nn_tvm.deploy.codegen.lower_to_program import LoweringContext, lower_to_program
from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.faults.program_fault import faults_of
from b2nn_tvm.passes.framework.find_fault import failing_kernel
from b2nn_tvm.passes.pipeline import Kernels, finish_scheduled, to_kernels
from b2nn_tvm.progress import Progress, silent
from b2nn_tvm.schedules.schedule_module import schedule_module, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import load_records, user_records_path
from b2nn_tvm.storage.content_cache import user_content_cache

if TYPE_CHECKING:
    import tvm

    from b2nn_tvm.deploy.library.describe_library import BuildMetadata
    from b2nn_tvm.deploy.library.manifest import Manifest
    from b2nn_tvm.deploy.library.verification import Verification
    from b2nn_tvm.frontend.import_onnx import ImportedModel
    from b2nn_tvm.schedules.tiles.tile_records import Records
    from b2nn_tvm.schedules.tuning.metaschedule import Bench
    from b2nn_tvm.targets.target import TargetInfo

R = TypeVar("R")
KERNELS = "kernels"  # the folder of compiled kernels in the user's cache


@dataclass(frozen=True)
class Tuning:
    """The effort of tuning: up to ``trials`` tiles (0: none) are measured for each kernel on ``device``."""

    trials: int = 0
    device: str = "local"
    progress: Progress = silent


def build_for_target(
    imported: ImportedModel,
    target: TargetInfo,
    output: str | os.PathLike[str],
    *,
    metadata: BuildMetadata,
    levels: Sequence[TargetInfo] = (),
    tuning: Tuning = Tuning(),
    static: bool = False,
    say: Callable[[str], None] = lambda phase: None,
    check: Callable[[Path], Verification] | None = None,
    watch: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Manifest:
    """Compile ``imported``, which stays as it is, for ``target`` into the folder ``output``, and return its manifest;
    what no caller holds of ``imported`` is freed on the way.

    ``levels`` are targets that require more, in the order of what they require: the library holds kernels for each of
    them, too. ``say`` is told each phase as it begins; ``static`` and ``check`` are as build_library takes them.
    ``watch`` makes the context in which each stage of the passes runs. Raises UnsupportedError, DeviceError,
    ToolchainError, InputError, ProgramFault, which names the node or layer, and the errors of ``check``.
    """
    networks = [imported]
    del imported
    compiled = [_compile(networks[:], each, Tuning(), _named(say, each), watch) for each in levels]
    first = _compile(networks, target, tuning, _named(say, target) if levels else say, watch)
    say("link")
    # Nobody else keeps the weights: those before the passes, and those in the library while it is checked.
    programs, kernels = [first.program], first.kernels
    del first
    return build_library(
        programs.pop(),
        kernels,
        target,
        output,
        levels=tuple(compiled.pop(0) for _ in range(len(compiled))),
        metadata=metadata,
        static=static,
        check=check,
    )


def _compile(
    networks: list[ImportedModel],
    target: TargetInfo,
    tuning: Tuning,
    say: Callable[[str], None],
    watch: Callable[[], AbstractContextManager[object]],
) -> Level:
    """The only network of ``networks``, which is taken out of them, compiled for one target."""
    vector_unit = vector_unit_named(target.vector)
    tvm_target = target.tvm_target()
    say("rewrite")
    inputs, outputs = networks[0].input_names, networks[0].output_names
    with watch():
        kernels = to_kernels(networks.pop(), vector_unit.layout, tvm_target)
    records = load_records(vector_unit.name, user_records_path(vector_unit.name))
    if tuning.trials:
        records = _tune(kernels.module, target, records, tuning)
    say("schedule")
    schedule = partial(schedule_module, vector_unit=vector_unit, records=records)
    scheduled = _each_kernel("scheduling the loops", schedule, kernels.module, kernels)
    with watch():
        module = finish_scheduled(scheduled.module, kernels.context)
    say("generate code")
    build = partial(build_kernels, target=tvm_target, cache=user_content_cache(KERNELS))
    built = _each_kernel("generating code", build, module, kernels)
    context = LoweringContext(
        find_layer=kernels.context.kernels.find,
        descriptions=scheduled.descriptions,
        log=kernels.log,
        reasons={**kernels.context.kernels.reasons, **{c.name: c.reason for c in kernels.convs}},
        workspaces=built.workspaces,
    )
    program = lower_to_program(
        module,
        symbols=built.symbols,
        inputs=inputs,
        outputs=outputs,
        workspace_bytes=max(built.workspaces.values(), default=0),
        context=context,
    )
    return Level(target, program, built.objects(step.symbol for step in program.steps))


def _named(say: Callable[[str], None], target: TargetInfo) -> Callable[[str], None]:
    """``say``, with the name of the level that is compiled."""
    return lambda phase: say(f"{phase} for {target.name}")


def _each_kernel(doing: str, work: Callable[[tvm.IRModule], R], module: tvm.IRModule, kernels: Kernels) -> R:
    """What ``work`` makes of the kernels of ``module``; raises ProgramFault, which names the one that it fails at."""
    with faults_of(doing, where=partial(failing_kernel, work, module, kernels.context)):
        return work(module)


def _tune(module: tvm.IRModule, target: TargetInfo, records: Records, tuning: Tuning) -> Records:
    """The ``records``, extended by the records that are measured on the device now."""
    from b2nn_tvm.deploy.devices.open_device import open_device
    from b2nn_tvm.deploy.estimate.static_bench import WORD, StaticBench
    from b2nn_tvm.deploy.latency.device_bench import DeviceBench
    from b2nn_tvm.schedules.tuning.tune import tune_module

    def measure(cpu: str, bench: Bench | None) -> Records:
        return tune_module(
            module,
            target=target,
            records=records,
            trials=tuning.trials,
            path=user_records_path(records.vector_unit),
            device=cpu,
            progress=tuning.progress,
            bench=bench,
        )

    if tuning.device == "local":  # in this process, without a library for each trial
        return measure(open_device(tuning.device).describe().cpu, None)
    if tuning.device == WORD:
        estimator = StaticBench(target)
        return measure(estimator.cpu, estimator)
    with DeviceBench(tuning.device, target=target) as bench:
        return measure(bench.cpu, bench)
