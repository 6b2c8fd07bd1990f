"""The standard streams of a command: all three are open, and what was printed has arrived before the command is done.

A shell can close a stream (``>&-``), lead it to a full disk, or to a reader that has gone. The last case is click's,
which ends a command quietly.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_NAMES = ("stdin", "stdout", "stderr")  # by their descriptors


@contextmanager
def streams() -> Iterator[None]:
    """All streams are open inside, and print whatever the encoding is. What the system refuses to a program that has
    hardly begun, such as room for what ``--help`` prints, ends it with one ``error:`` line and the status 1.
    """
    _open_all()
    try:
        yield
    except OSError as error:
        click.echo(f"error: {refused_by_system(error)}", err=True)
        sys.exit(1)


class OutputLost(OSError):
    """What was printed did not arrive; ``strerror`` says so."""


def refused_by_system(error: OSError) -> str:
    """What the system refused, in words."""
    reason = error.strerror or str(error)
    if reason.startswith("No usable temporary directory"):
        return f"{reason}; let TMPDIR name a folder that can be written"
    return f"{error.filename}: {reason}" if error.filename else reason


@contextmanager
def printing() -> Iterator[None]:
    """Where what is printed inside does not arrive, OutputLost is raised, and nothing that is printed later is tried:
    Python would try what is left when it ends, and tell of an exception. A reader that has gone is click's case.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        _drop_output()
        raise OutputLost(error.errno, f"what is printed cannot be written: {error.strerror}") from None


def flush_output() -> None:
    """Write what was printed; raises as ``printing`` does."""
    with printing():
        sys.stdout.flush()


def _drop_output() -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    sys.stdout.flush()


def _open_all() -> None:
    """A closed stream would give its number to the next file that is opened, and what a library prints to that file."""
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - open as long as the program runs
            if not _is_open(number):
                os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)
    # A name of a file may be no text, and a terminal may lack a letter: neither is a reason to lose a result.
    if getattr(sys.stdout, "errors", "") == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
