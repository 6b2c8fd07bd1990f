"""One piece of work at a time in a folder: two that wrote the same phases would leave some of each."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from b2nn_tvm.errors import InputError

LOCK = ".b2nn-lock"  # is removed with its holder's last word; one that a killed process leaves is no obstacle

P = ParamSpec("P")
R = TypeVar("R")


def alone_in_output(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which works in the folder of its keyword ``output``, for one caller at a time in each folder.

    It raises InputError where another process, or thread, is at work there.
    """

    @wraps(function)
    def run(*arguments: P.args, **keywords: P.kwargs) -> R:
        output = keywords.get("output")
        if not isinstance(output, str | os.PathLike):  # the function itself says what is wrong with it
            return function(*arguments, **keywords)
        with alone_in(Path(os.fspath(output))):
            return function(*arguments, **keywords)

    return run


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which need not be there yet, against others; an empty one is not left behind.

    Where the file system has no locks, or nothing can be written, nothing is held. Raises InputError where somebody
    else holds it.
    """
    made: list[Path] = []
    try:
        for part in (*reversed(folder.absolute().parents), folder.absolute()):
            if not part.exists():
                part.mkdir()
                made.append(part)
        lock = _locked(folder)
    except OSError:
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            (folder / LOCK).unlink(missing_ok=True)
            fcntl.flock(lock, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file open, too
            os.close(lock)
        for part in reversed(made):
            with suppress(OSError):  # it holds results now
                part.rmdir()


def _locked(folder: Path) -> int:
    """The descriptor of the folder's lock."""
    while True:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            who = f"another search or study works in this folder{f' (process {holder})' if holder else ''}"
            raise InputError(f"{folder}: {who}; wait until it has ended, or give another folder with -o") from None
        except OSError:
            os.close(descriptor)
            raise
        with suppress(FileNotFoundError):  # its last holder may have removed it between these two calls
            if os.path.samestat(os.fstat(descriptor), os.stat(folder / LOCK)):
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        os.close(descriptor)
