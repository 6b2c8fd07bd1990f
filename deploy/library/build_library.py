"""Program + kernels -> a folder with the library, its header, a runner and the manifest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from b2nn_tvm.deploy.codegen.emit_c import check_program
from b2nn_tvm.deploy.codegen.program import Program
from b2nn_tvm.deploy.codegen.share_constants import Level, share_constants
from b2nn_tvm.deploy.library.compile_sources import compile_library, runner_program, static_runner
from b2nn_tvm.deploy.library.describe_library import BuildMetadata, describe_library
from b2nn_tvm.deploy.library.kernel_sections import kernel_code_bytes
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.manifest import Manifest
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.verification import Verification
from b2nn_tvm.deploy.library.write_sources import kernel_files, write_sources
from b2nn_tvm.errors import InputError
from b2nn_tvm.targets.target import TargetInfo


def build_library(
    program: Program,
    kernels: Sequence[bytes],
    target: TargetInfo,
    folder: str | os.PathLike[str],
    *,
    levels: Sequence[Level] = (),
    metadata: BuildMetadata = BuildMetadata(),
    static: bool = False,
    check: Callable[[Path], Verification] | None = None,
) -> Manifest:
    """Link the object files ``kernels`` with the runtime and the program's tables and constants into ``folder``.

    The folder gets ``libb2nn_model.so``, ``b2nn.h``, the command-line runner ``b2nn-run`` and ``manifest.json``. They
    are made in a temporary folder inside it and moved at the end, the manifest last, so that a library that was only
    half replaced is noticed when it is loaded. Where ``static``, b2nn-run is a static program that holds the network,
    too, and runs no other. ``levels`` are the same network for targets that require more, the best one last; the
    library chooses one of them when it is loaded. Before that, ``check`` is called with the finished temporary
    folder, and its result is entered in the manifest: where it raises, ``folder`` stays as it was. Raises
    ToolchainError where there is no compiler for the target or it fails, InputError where ``folder`` cannot be written,
    ValueError where program and kernels do not fit.
    """
    folder = Path(folder)
    together = [Level(target, program, kernels), *levels]
    for each in together:
        check_program(each.program)
    code_bytes = kernel_code_bytes(together)
    shared = share_constants(together)
    toolchain = find_toolchain(target)
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".build."))
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be written: {error.strerror}") from None
    try:
        model_id, objects = write_sources(shared, work), kernel_files(shared)
        compile_library(toolchain, work, kernels=objects)
        runner = static_runner(toolchain, work, kernels=objects) if static else runner_program(toolchain)
        (work / RUNNER).write_bytes(runner)
        readable = (work / RUNNER).stat().st_mode & 0o444
        (work / RUNNER).chmod(readable | readable >> 2 | 0o200)
        manifest = describe_library(shared, code_bytes, toolchain, metadata, model_id, work / LIBRARY, static)
        del program, levels, each, together, shared  # their constants are in the library, and the check needs memory
        if check:
            manifest.save(work)
            manifest = replace(manifest, verification=check(work))
        for name in (LIBRARY, RUNNER, HEADER):
            os.replace(work / name, folder / name)
        manifest.save(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if created and not any(folder.iterdir()):
            folder.rmdir()
    return manifest
