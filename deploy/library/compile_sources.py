"""The sources of a library and of its runner become a shared library and a program; what every network has is kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from b2nn_tvm.deploy.codegen.emit_c import CONSTANTS_SOURCE, MODEL_SOURCE
from b2nn_tvm.deploy.library.compile_once import compile_once
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.deploy.library.static_program import link_static, static_toolchain
from b2nn_tvm.deploy.library.toolchain import Toolchain
from b2nn_tvm.deploy.library.write_sources import RUNTIME, RUNTIME_CODE, write_runner_sources

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
