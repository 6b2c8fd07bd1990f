"""Why a program that was copied to a board does not start there: the shell only says "not found" or "denied"."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

CANNOT_START = (126, 127)  # the statuses of a shell for a program that it cannot start (POSIX, 2.8.2)
_SCRIPT = """
say() {{ printf '%s=%s\\n' "$1" "$2"; }}
say present "$([ -s {runner} ] && echo yes)"
say executable "$([ -x {runner} ] && echo yes)"
printf '#!/bin/sh\\nexit 0\\n' >start && chmod 700 start && say starts "$(./start && echo yes)"
rm -f start
say loader "$([ -e {loader} ] && echo yes)"
say libc "$(getconf GNU_LIBC_VERSION || (ls /lib/ld-musl-*.so.1 && echo musl) || ldd --version 2>&1)"
say machine "$(uname -m)"
"""


@dataclass(frozen=True)
class ProgramFile:
    """The program that should start: its name, its architecture, and its loader, "" where it is static."""

    name: str
    arch: str
    loader: str


def question(program: ProgramFile) -> str:
    """A shell script for the program's folder on the board; ``cause`` reads its output."""
    loader = shlex.quote(program.loader or "/")
    return f"{{ {_SCRIPT.format(runner=program.name, loader=loader)} }} 2>/dev/null"


def cause(program: ProgramFile, answer: str, complaint: str) -> str:
    """The cause and the remedy, from the answer to ``question`` and from the ``complaint`` of the shell."""
    found = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    if not found.get("present"):
        return f"the program {program.name} is not there any more, or is empty; run it again"
    if found.get("starts") == "" or not found.get("executable"):
        return (
            f"the program {program.name} may not be started in its folder there: the file system is mounted noexec, or"
            " keeps no permissions; name another folder of the board, as in ssh://USER@HOST/~ or ssh://USER@HOST/var/tmp"
        )
    if program.loader and (not found.get("loader") or "not found" in complaint):
        # The program is there, and others start from its folder: what is not found is the loader that it names.
        system = "has musl in its place" if "musl" in answer else "has musl, as Alpine has, or another one in its place"
        return (
            f"the program {program.name} needs {program.loader}, the loader of the GNU C library, which is not there:"
            f" this system {system}; compile the network with --static, then it needs no library of the system"
        )
    if "format error" in complaint.lower():
        return (
            f"the program {program.name} is for {program.arch}, and this system ({found.get('machine')}) cannot start"
            " such programs; compile the network for the target of this board"
        )
    return complaint
