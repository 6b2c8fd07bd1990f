"""Program + kernels -> a folder with the library, its header, a runner and the manifest."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from importlib import metadata as packages
from pathlib import Path

from b2nn_tvm.deploy.codegen.emit_c import CONSTANTS_SOURCE, MODEL_SOURCE, check_program, emit_c, quote, size_bytes
from b2nn_tvm.deploy.codegen.program import Program, Step
from b2nn_tvm.deploy.library.compile_once import compile_once
from b2nn_tvm.deploy.library.elf import ElfFile, is_hard_float, read_elf
from b2nn_tvm.deploy.library.manifest import BuildInfo, LibraryInfo, Manifest, Memory, StepRow
from b2nn_tvm.deploy.library.sizes import library_sizes
from b2nn_tvm.deploy.library.static_program import link_static, static_toolchain
from b2nn_tvm.deploy.library.toolchain import CROSS_VARIABLE, Toolchain, find_toolchain
from b2nn_tvm.deploy.library.verification import Verification, not_checked
from b2nn_tvm.errors import InputError, ToolchainError
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning
from b2nn_tvm.targets.target import TargetInfo
from b2nn_tvm.version import __version__

ABI_VERSION = 1  # B2NN_ABI_VERSION in runtime/b2nn.h
LIBRARY = "libb2nn_model.so"
RUNNER = "b2nn-run"
HEADER = "b2nn.h"
DEPLOY = Path(__file__).parents[1]
RUNTIME = DEPLOY / "runtime"  # the sources that are linked into the library
RUNNER_SOURCES = DEPLOY / "runner"
PHOTO_SOURCES = DEPLOY / "photo"  # the part of the runner that reads photos
THIRD_PARTY = DEPLOY / "third_party" / "stb"
RUNTIME_CODE = ("model.c", "threads.c", "backend.c", "cpu.c")  # the same for every network
LIBRARY_SOURCES = (MODEL_SOURCE, *RUNTIME_CODE, CONSTANTS_SOURCE)

# Systems of 32 bits then see all files, those with large inode numbers among them.
_LANGUAGE = ("-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64")
_COMPILE = (*_LANGUAGE, "-O2", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-pthread")
_LINK = (
    "-shared",
    f"-Wl,-soname,{LIBRARY}",
    "-Wl,-Bsymbolic",
    "-Wl,--version-script=exports.map",
    "-Wl,--no-undefined",
    "-Wl,--gc-sections",
    "-Wl,-z,noexecstack",
    "-Wl,--strip-debug",
    "-Wl,--build-id=none",  # a digest of all weights, which the manifest has as well
)
_RUNNER = (*_LANGUAGE, "-O2", "-Wl,--gc-sections", "-Wl,-z,noexecstack", "-Wl,--strip-all")


@dataclass(frozen=True)
class BuildMetadata:
    """The library's origin for the manifest, as in BuildInfo: the model's name, the digest of its plan, and a note; ""
    where it is unknown. ``meaning`` is what its data mean.
    """

    model: str = ""
    plan_digest: str = ""
    note: str = ""
    meaning: Meaning = UNKNOWN


def build_library(
    program: Program,
    kernels: Sequence[bytes],
    target: TargetInfo,
    folder: str | os.PathLike[str],
    *,
    metadata: BuildMetadata = BuildMetadata(),
    static: bool = False,
    check: Callable[[Path], Verification] | None = None,
) -> Manifest:
    """Link the object files ``kernels`` with the runtime and the program's tables and constants into ``folder``.

    The folder gets ``libb2nn_model.so``, ``b2nn.h``, the command-line runner ``b2nn-run`` and ``manifest.json``. They
    are made in a temporary folder inside it and moved at the end, the manifest last, so that a library that was only
    half replaced is noticed when it is loaded. Where ``static``, b2nn-run is a static program that holds the network,
    too, and runs no other. Before that, ``check`` is called with the finished temporary folder, and
    its result is entered in the manifest: where it raises, ``folder`` stays as it was. Raises ToolchainError where
    there is no compiler for the target or it fails, InputError where ``folder`` cannot be written, ValueError where
    program and kernels do not fit.
    """
    folder = Path(folder)
    check_program(program)
    kernel_code_bytes = _kernel_code_bytes(program, kernels, target)
    toolchain = find_toolchain(target)
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".build."))
    except OSError as error:
        raise InputError(f"{folder}: expected a folder that can be written: {error.strerror}") from None
    try:
        model_id = write_sources(program, kernels, work, target=target)
        compile_library(toolchain, work, kernels=len(kernels))
        runner = static_runner(toolchain, work, kernels=len(kernels)) if static else runner_program(toolchain)
        (work / RUNNER).write_bytes(runner)
        readable = (work / RUNNER).stat().st_mode & 0o444
        (work / RUNNER).chmod(readable | readable >> 2 | 0o200)
        manifest = _describe(program, target, toolchain, metadata, model_id, kernel_code_bytes, work / LIBRARY, static)
        del program  # its constants are in the library, and the check needs memory
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


def write_sources(program: Program, kernels: Sequence[bytes], folder: Path, *, target: TargetInfo) -> str:
    """Write the sources of the library into ``folder``, and return the model's id.

    The sources are the runtime, the generated files and the object files of ``kernels``.
    """
    digest = hashlib.sha256(target.name.encode())
    for pieces in (*((content,) for content in kernels), *emit_c(program, target=target, model_id="").values()):
        digest.update(_sha256(pieces))
    for path in RUNTIME.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    for name, pieces in emit_c(program, target=target, model_id=digest.hexdigest()).items():
        with (folder / name).open("wb") as file:
            file.writelines(pieces)
    for name, content in zip(kernel_files(len(kernels)), kernels, strict=True):
        (folder / name).write_bytes(content)
    return digest.hexdigest()


def _sha256(pieces: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def kernel_files(count: int) -> list[str]:
    """The names of the object files among the sources of a library."""
    return [f"kernel_{index}.o" for index in range(count)]


def compile_library(toolchain: Toolchain, folder: Path, *, kernels: int) -> None:
    """Make the library from the sources in ``folder``, which are those of ``kernels`` object files."""
    runtime = runtime_objects(toolchain)
    for name, code in runtime.items():
        (folder / name).write_bytes(code)
    inputs = [MODEL_SOURCE, *runtime, CONSTANTS_SOURCE, *kernel_files(kernels)]
    toolchain.run([*_COMPILE, *_LINK, "-o", LIBRARY, *inputs, "-lm"], folder=folder)


@cache
def runtime_objects(toolchain: Toolchain) -> Mapping[str, bytes]:
    """The runtime's object files by name; they are the same for every network, and kept in the user's cache.

    Raises ToolchainError where the compiler fails, InputError as ``user_content_cache`` does.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        for path in RUNTIME.glob("*.[ch]"):
            shutil.copyfile(path, Path(name) / path.name)
        for source in RUNTIME_CODE:  # one call each: zig keeps only one object of those that it makes at once
            output = Path(source).with_suffix(".o").name
            arguments = [*_COMPILE, "-c", source, "-o", output]
            found[output] = compile_once(toolchain, arguments, folder=Path(name), output=output)
            (Path(name) / output).unlink(missing_ok=True)  # the next call's key is made of sources alone
    return found


def write_runner_sources(folder: Path, *, compiler: str, static: bool = False) -> tuple[str, ...]:
    """Write the sources of b2nn-run, static or not, into ``folder``; return the names of the C files."""
    definitions = {"B2NN_VERSION": __version__, "B2NN_COMPILER": compiler, "B2NN_LIBRARY": LIBRARY}
    lines = [f"#define {name} {quote(value)}\n" for name, value in definitions.items()]
    (folder / "build_info.h").write_text("".join(lines), encoding="utf-8")
    shutil.copyfile(RUNTIME / HEADER, folder / HEADER)
    found = [path for part in (RUNNER_SOURCES, PHOTO_SOURCES, THIRD_PARTY) for path in part.rglob("*.[ch]")]
    for path in found:
        shutil.copyfile(path, folder / path.name)
    of_the_other_kind = "load.c" if static else "linked.c"
    return tuple(sorted(path.name for path in found if path.suffix == ".c" and path.name != of_the_other_kind))


@cache
def runner_program(toolchain: Toolchain) -> bytes:
    """The program b2nn-run, compiled by ``toolchain``; it is the same for every network, and kept in the user's cache.

    Raises ToolchainError where the compiler fails, InputError as ``user_content_cache`` does.
    """
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        sources = write_runner_sources(Path(name), compiler=toolchain.version)
        arguments = [*_RUNNER, "-o", RUNNER, *sources, "-ldl", "-lm"]
        return compile_once(toolchain, arguments, folder=Path(name), output=RUNNER)


def static_runner(toolchain: Toolchain, folder: Path, *, kernels: int) -> bytes:
    """The static b2nn-run with the network whose sources ``write_sources`` wrote into ``folder``.

    Raises ToolchainError where the compiler cannot make it.
    """
    chain = static_toolchain(toolchain)
    sources = write_runner_sources(folder, compiler=toolchain.version, static=True)
    inputs = [*sources, MODEL_SOURCE, *RUNTIME_CODE, CONSTANTS_SOURCE, *kernel_files(kernels)]
    return link_static(chain, [*_COMPILE, *inputs], folder=folder, output=RUNNER)


def _kernel_code_bytes(program: Program, kernels: Sequence[bytes], target: TargetInfo) -> int:
    """The bytes of the sections that hold the program's kernels; raises ValueError where the kernels do not fit."""
    missing, sections = {step.symbol for step in program.steps}, dict[tuple[int, int], int]()
    for number, content in enumerate(kernels):
        elf = _shared_elf(content)
        if elf.arch != target.arch:
            raise ValueError(f"the kernels are for {elf.arch}, the target {target.name} is {target.arch}")
        if target.float_abi != "soft" and elf.arch == "armv7l" and not is_hard_float(content):
            raise ValueError(
                "the kernels pass floats in integer registers, which a hard-float system cannot load; the target"
                f' {target.name} needs float_abi = "hard"'
            )
        sections |= {(number, elf.homes[name].index): elf.homes[name].size_bytes for name in elf.homes.keys() & missing}
        missing -= elf.homes.keys()
    if missing:
        raise ValueError(f"the kernel objects do not define {', '.join(sorted(missing))}")
    return sum(sections.values())


@lru_cache(maxsize=1024)
def _shared_elf(content: bytes) -> ElfFile:
    """``read_elf`` for a file that goes into many libraries: the kernels, of some 10 KiB each, and the runner."""
    return read_elf(content)


def _describe(
    program: Program,
    target: TargetInfo,
    toolchain: Toolchain,
    metadata: BuildMetadata,
    model_id: str,
    kernel_code_bytes: int,
    library: Path,
    static: bool,
) -> Manifest:
    with library.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        elf = read_elf(file)
    if elf.arch != target.arch:
        raise ToolchainError(
            f"the C compiler {toolchain.command[0]!r} makes code for {elf.arch}, but target {target.name} is "
            f"{target.arch}; set CC, or {CROSS_VARIABLE} for another machine, to a compiler for {target.triple}"
        )
    by_number = lambda version: tuple(map(int, version.split("."))) if version else ()
    runner_glibc = "" if static else _shared_elf(runner_program(toolchain)).glibc
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
        sizes=library_sizes(program, elf, kernel_code_bytes=kernel_code_bytes, size_bytes=library.stat().st_size),
        memory=Memory(
            arena=program.arena_bytes,
            staging=sum(size_bytes(spec) for spec in (*program.inputs, *program.outputs)),
            workspace_per_thread=program.workspace_bytes,
        ),
        preprocess=metadata.meaning.preprocess,
        labels=metadata.meaning.labels,
    )


def _row(step: Step) -> StepRow:
    return StepRow(**{field.name: getattr(step, field.name) for field in fields(StepRow)})
