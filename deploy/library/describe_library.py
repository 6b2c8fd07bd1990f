"""The manifest of a library that was just linked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import metadata as packages
from pathlib import Path

from b2nn_tvm.deploy.codegen.emit_c import size_bytes
from b2nn_tvm.deploy.codegen.program import Program, Step
from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.compile_sources import runner_program
from b2nn_tvm.deploy.library.elf import read_elf, shared_elf
from b2nn_tvm.deploy.library.library_files import ABI_VERSION, LIBRARY
from b2nn_tvm.deploy.library.manifest import BuildInfo, LevelInfo, LibraryInfo, Manifest, Memory, StepRow
from b2nn_tvm.deploy.library.sizes import library_sizes
from b2nn_tvm.deploy.library.toolchain import CROSS_VARIABLE, Toolchain
from b2nn_tvm.deploy.library.verification import not_checked
from b2nn_tvm.errors import ToolchainError
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning


@dataclass(frozen=True)
class BuildMetadata:
    """The library's origin for the manifest, as in BuildInfo: the model's name, the digest of its plan, and a note; ""
    where it is unknown. ``meaning`` is what its data mean.
    """

    model: str = ""
    plan_digest: str = ""
    note: str = ""
    meaning: Meaning = UNKNOWN


def describe_library(
    levels: Sequence[Level],
    kernel_code_bytes: Sequence[int],
    toolchain: Toolchain,
    metadata: BuildMetadata,
    model_id: str,
    library: Path,
    static: bool,
) -> Manifest:
    """The manifest of a library, from its levels and the bytes of kernels in each of them."""
    target, program = levels[0].target, levels[0].program
    with library.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        elf = read_elf(file)
    if elf.arch != target.arch:
        raise ToolchainError(
            f"the C compiler {toolchain.command[0]!r} makes code for {elf.arch}, but target {target.name} is "
            f"{target.arch}; set CC, or {CROSS_VARIABLE} for another machine, to a compiler for {target.triple}"
        )
    by_number = lambda version: tuple(map(int, version.split("."))) if version else ()
    runner_glibc = "" if static else shared_elf(runner_program(toolchain)).glibc
    glibc = max(elf.glibc, runner_glibc, key=by_number)
    return Manifest(
        library=LibraryInfo(LIBRARY, digest, ABI_VERSION, model_id, glibc),
        target=target,
        build=BuildInfo(
            metadata.model, metadata.plan_digest, packages.version("apache-tvm"), toolchain.version, metadata.note
        ),
        verification=not_checked("it was built without a check"),
        inputs=program.inputs,
        outputs=program.outputs,
        layers=program.layers,
        steps=tuple(map(_row, program.steps)),
        rewrites=program.rewrites,
        sizes=library_sizes(
            [level.program for level in levels],
            elf,
            kernel_code_bytes=sum(kernel_code_bytes),
            size_bytes=library.stat().st_size,
        ),
        memory=_memory(program),
        preprocess=metadata.meaning.preprocess,
        labels=metadata.meaning.labels,
        levels=tuple(
            LevelInfo(
                target=level.target,
                kernel_code=code_bytes,
                constants=sum(step.constant_bytes for step in level.program.steps),
                memory=_memory(level.program),
                layers=level.program.layers,
                steps=tuple(map(_row, level.program.steps)),
            )
            for level, code_bytes in list(zip(levels, kernel_code_bytes, strict=True))[1:]
        ),
    )


def _memory(program: Program) -> Memory:
    staging = sum(size_bytes(spec) for spec in (*program.inputs, *program.outputs))
    return Memory(program.arena_bytes, staging, program.workspace_bytes)


def _row(step: Step) -> StepRow:
    return StepRow(**{field.name: getattr(step, field.name) for field in fields(StepRow)})
