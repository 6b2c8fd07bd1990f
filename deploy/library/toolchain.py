"""The C compiler of a target: the system's compiler, zig from the Python package ziglang, or a cross gcc.

For another machine zig comes first: it links against the symbols of an old C library, so that the result runs on boards
with older systems. A cross gcc of a distribution links against the C library of this distribution.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.errors import ToolchainError

if TYPE_CHECKING:
    from b2nn_tvm.targets.target import TargetInfo


CROSS_VARIABLE = "B2NN_CC"


@dataclass(frozen=True)
class Toolchain:
    """A C compiler driver: its command, and the first line with which it states its version."""

    command: tuple[str, ...]
    version: str

    def run(self, arguments: Sequence[str], *, folder: Path) -> None:
        """Compile or link in ``folder``; raises ToolchainError, with the command's first complaint, where it fails."""
        command = [*self.command, *arguments]
        try:
            done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise ToolchainError(f"the C compiler {shlex.join(self.command)!r} does not start: {error}") from None
        if done.returncode:
            complaint = _complaint(done.stderr or done.stdout)
            raise ToolchainError(
                f"the C compiler failed with status {done.returncode}: {complaint}; "
                f"the command was {shlex.join(command)}"
            )


def find_toolchain(target: TargetInfo) -> Toolchain:
    """The compiler for ``target``: ``$CC``, cc, gcc, clang or zig for machines of this architecture; ``$B2NN_CC``, zig
    or the GNU cross compiler for others.

    Raises ToolchainError, with two remedies, where there is none.
    """
    native = platform.system() == "Linux" and platform.machine() == target.arch
    if command := os.environ.get("CC" if native else CROSS_VARIABLE):
        return _described(tuple(shlex.split(command)))
    candidates = ("cc", "gcc", "clang") if native else (f"{target.gnu_prefix}gcc",)
    installed = [path for path in map(shutil.which, candidates) if path]
    if installed and native:
        return _described((installed[0],))
    if importlib.util.find_spec("ziglang"):
        zig = (sys.executable, "-m", "ziglang")
        return _described((*zig, "cc", "-target", target.zig_target, f"-mcpu={target.zig_mcpu}"), (*zig, "version"))
    if installed:
        return _described((installed[0],))
    package = "gcc" if native else f"gcc-{target.gnu_prefix.rstrip('-').replace('_', '-')}"
    raise ToolchainError(
        f"no C compiler for target {target.name} ({target.triple}): looked for {', '.join(candidates)} and the Python "
        f'package ziglang; get one with "apt install {package}" or "pip install \'b2nn-tvm[cross]\'"'
    )


def _complaint(output: str) -> str:
    """The line of ``output`` that says what is wrong: the first with a word like "error" that is not collect2's."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("collect2:")]
    telling = (line for line in lines if re.search(r"error|undefined|cannot|multiple definition", line, re.IGNORECASE))
    return next(telling, lines[0] if lines else "no message")


def _described(command: tuple[str, ...], ask: tuple[str, ...] = ()) -> Toolchain:
    """The compiler behind ``command``, with the answer to ``ask``, which is asked once for each program file."""
    program = shutil.which(command[0])
    changed_ns = os.stat(program).st_mtime_ns if program else 0
    return _asked(command, ask, program, changed_ns)


@lru_cache
def _asked(command: tuple[str, ...], ask: tuple[str, ...], _program: str | None, _changed_ns: int) -> Toolchain:
    try:
        done = subprocess.run(
            ask or (*command, "--version"), check=False, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise ToolchainError(
            f"the C compiler {shlex.join(command)!r} does not start: {error}; set CC, or {CROSS_VARIABLE} for another"
            " machine, to one that does, or unset it"
        ) from None
    first = (done.stdout.splitlines() or [""])[0].strip()
    return Toolchain(command, f"zig {first} (Python package ziglang)" if ask else first)
