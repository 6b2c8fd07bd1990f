"""A static b2nn-run: the runner and one network in a single program, which needs no library of the system.

A static program has no loader and cannot load libraries, so it holds the network itself. It starts on every Linux
system of its architecture: those with musl, as Alpine, with an older GNU C library, or with none at all.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from b2nn_tvm.errors import ToolchainError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.toolchain import Toolchain

LINK = (
    "-static",
    "-Wl,--gc-sections",
    "-Wl,-z,noexecstack",
    "-Wl,-z,stack-size=8388608",  # as threads have it with the GNU C library; musl's have 128 KiB without this
    "-Wl,--strip-all",
)


def static_toolchain(toolchain: Toolchain) -> Toolchain:
    """The toolchain for static programs: zig links these with musl, all others with the C library that they have."""
    musl = lambda word: re.sub(r"^(\w+-linux-)gnu(\w*?)(\.[\d.]+)?$", r"\1musl\2", word)
    return replace(toolchain, command=tuple(map(musl, toolchain.command)))


def link_static(toolchain: Toolchain, arguments: list[str], *, folder: Path, output: str) -> bytes:
    """The program that ``arguments`` make in ``folder``, the file ``output``.

    Raises ToolchainError, with the remedy, where the compiler cannot link static programs.
    """
    try:
        toolchain.run([*LINK, "-o", output, *arguments, "-lm"], folder=folder)
    except ToolchainError as error:
        raise ToolchainError(
            f"{error}; a static program needs the C library as an archive (libc.a): get it with the Python package"
            " ziglang (pip install 'b2nn-tvm[cross]', with CC unset), or with the system's package libc6-dev"
        ) from None
    return (folder / output).read_bytes()


def is_static(program: Path) -> bool:
    """Whether a file is a static program: a program for Linux that names no loader."""
    try:
        with program.open("rb") as file:
            elf = ELFFile(file)
            return elf["e_type"] in ("ET_EXEC", "ET_DYN") and not any(elf.iter_segments("PT_INTERP"))
    except ELFError:  # a script, say
        return False
