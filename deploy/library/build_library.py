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
from b2nn_tvm.deploy.codegen.share_constants import Level, share_constants
from b2nn_tvm.deploy.library.compile_once import compile_once
from b2nn_tvm.deploy.library.elf import ElfFile, is_hard_float, read_elf
from b2nn_tvm.deploy.library.manifest import BuildInfo, LevelInfo, LibraryInfo, Manifest, Memory, StepRow
from b2nn_tvm.deploy.library.sizes import library_sizes
from b2nn_tvm.deploy.library.static_program import link_static, static_toolchain
from b2nn_tvm.deploy.library.toolchain import CROSS_VARIABLE, Toolchain, find_toolchain
from b2nn_tvm.deploy.library.verification import Verification, not_checked
from b2nn_tvm.errors import InputError, ToolchainError
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning
from b2nn_tvm.targets.target import TargetInfo
from b2nn_tvm.version import __version__

ABI_VERSION = 1  # B2NN_ABI_VERSION in runtime/b2nn.h
LEVEL_VARIABLE = "B2NN_LEVEL"  # as in runtime/level.c
LIBRARY = "libb2nn_model.so"
RUNNER = "b2nn-run"
HEADER = "b2nn.h"
DEPLOY = Path(__file__).parents[1]
RUNTIME = DEPLOY / "runtime"  # the sources that are linked into the library
RUNNER_SOURCES = DEPLOY / "runner"
PHOTO_SOURCES = DEPLOY / "photo"  # the part of the runner that reads photos
THIRD_PARTY = DEPLOY / "third_party" / "stb"
RUNTIME_CODE = ("model.c", "level.c", "threads.c", "backend.c", "cpu.c")  # the same for every network
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
    kernel_code_bytes = _kernel_code_bytes(together)
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
        manifest = _describe(shared, kernel_code_bytes, toolchain, metadata, model_id, work / LIBRARY, static)
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


def write_sources(levels: Sequence[Level], folder: Path) -> str:
    """Write the sources of the library into ``folder``, and return the model's id.

    The sources are the runtime, the generated files and the object files of the kernels. The ``levels`` have the same
    constants.
    """
    digest = hashlib.sha256(levels[0].target.name.encode())
    for pieces in (*((content,) for content in _objects(levels)), *emit_c(levels, model_id="").values()):
        digest.update(_sha256(pieces))
    for path in RUNTIME.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    for name, pieces in emit_c(levels, model_id=digest.hexdigest()).items():
        with (folder / name).open("wb") as file:
            file.writelines(pieces)
    for name, content in zip(kernel_files(levels), _objects(levels), strict=True):
        (folder / name).write_bytes(content)
    return digest.hexdigest()


def _sha256(pieces: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _objects(levels: Sequence[Level]) -> list[bytes]:
    """The object files of all kernels, each once."""
    return list(dict.fromkeys(content for level in levels for content in level.kernels))


def kernel_files(levels: Sequence[Level]) -> list[str]:
    """The names of the object files among the sources of a library."""
    return [f"kernel_{index}.o" for index in range(len(_objects(levels)))]


def compile_library(toolchain: Toolchain, folder: Path, *, kernels: Sequence[str]) -> None:
    """Make the library from the sources in ``folder``, among which are the object files ``kernels``."""
    runtime = runtime_objects(toolchain)
    for name, code in runtime.items():
        (folder / name).write_bytes(code)
    inputs = [MODEL_SOURCE, *runtime, CONSTANTS_SOURCE, *kernels]
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


def static_runner(toolchain: Toolchain, folder: Path, *, kernels: Sequence[str]) -> bytes:
    """The static b2nn-run with the network whose sources ``write_sources`` wrote into ``folder``, with its ``kernels``.

    Raises ToolchainError where the compiler cannot make it.
    """
    chain = static_toolchain(toolchain)
    sources = write_runner_sources(folder, compiler=toolchain.version, static=True)
    inputs = [*sources, MODEL_SOURCE, *RUNTIME_CODE, CONSTANTS_SOURCE, *kernels]
    return link_static(chain, [*_COMPILE, *inputs], folder=folder, output=RUNNER)


def _kernel_code_bytes(levels: Sequence[Level]) -> list[int]:
    """The bytes of the sections that hold the kernels of each level, without those that hold kernels of one before it;
    raises ValueError where the kernels do not fit.
    """
    counted, found = set[tuple[bytes, int]](), []
    for level in levels:
        sections = _kernel_sections(level)
        found.append(sum(size for section, size in sections.items() if section not in counted))
        counted |= sections.keys()
    return found


def _kernel_sections(level: Level) -> dict[tuple[bytes, int], int]:
    """The sizes of the sections that hold the kernels of a level, by their object file and their number in it."""
    target, missing = level.target, {step.symbol for step in level.program.steps}
    sections = dict[tuple[bytes, int], int]()
    for content in level.kernels:
        elf = _shared_elf(content)
        if elf.arch != target.arch:
            raise ValueError(f"the kernels are for {elf.arch}, the target {target.name} is {target.arch}")
        if target.float_abi != "soft" and elf.arch == "armv7l" and not is_hard_float(content):
            raise ValueError(
                "the kernels pass floats in integer registers, which a hard-float system cannot load; the target"
                f' {target.name} needs float_abi = "hard"'
            )
        found = elf.homes.keys() & missing
        sections |= {(content, elf.homes[name].index): elf.homes[name].size_bytes for name in found}
        missing -= elf.homes.keys()
    if missing:
        raise ValueError(f"the kernel objects do not define {', '.join(sorted(missing))}")
    return sections


@lru_cache(maxsize=1024)
def _shared_elf(content: bytes) -> ElfFile:
    """``read_elf`` for a file that goes into many libraries: the kernels, of some 10 KiB each, and the runner."""
    return read_elf(content)


def _describe(
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
