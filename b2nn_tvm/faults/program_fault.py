"""What is raised and is no error for users becomes one, with the original as its cause.

    InternalError: Check failed: ...  ->  ProgramFault: generating code failed at node '/conv1/Conv' (Conv): Check ...
    MemoryError                       ->  InputError: ... ran out of memory ...
    OSError: No space left on device  ->  InputError: FILE: No space left on device

Errors for users, and what a user's own callback raises, pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from b2nn_tvm.errors import B2nnError, InputError, ProgramFault

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST = 300  # characters of the original that a user is shown
_FOREIGN = "b2nn_foreign"  # the attribute of errors that come from a user's callback


@contextmanager
def faults_of(doing: str, *, where: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Turn all that is raised inside while ``doing`` something into errors for users.

    ``where`` is asked only after a fault, and completes "... failed", such as "at node 'conv1' (Conv)"; it is "" where
    nothing is known. Usable as a decorator, too.
    """
    try:
        yield
    except Exception as error:
        if is_for_users(error):
            raise
        if isinstance(error, MemoryError) or "bad_alloc" in str(error):
            raise InputError(
                f"{doing} ran out of memory{_at(where)}; make the inputs of the network smaller, or give it more memory"
            ) from error
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{error.filename}: {error.strerror}" if error.filename else error.strerror) from error
        raise ProgramFault(
            f"{doing} failed{_at(where)}: {first_line(error)}; this is a fault of this program, please report it with "
            "the file"
        ) from error


def is_for_users(error: Exception) -> bool:
    """Whether users get this error as it is: one of this package's kinds, or what their own callback raised."""
    return isinstance(error, B2nnError) or hasattr(error, _FOREIGN)


def foreign(callback: Callable[P, R]) -> Callable[P, R]:
    """The function of a user, with its errors marked as the user's own: ``faults_of`` lets them pass."""

    @wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return callback(*args, **kwargs)
        except Exception as error:
            setattr(error, _FOREIGN, True)
            raise

    return call


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something, cut to a length for people; its kind where it has no
    text.
    """
    text = next(filter(None, (" ".join(line.split()) for line in str(error).splitlines())), "")
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _at(where: Callable[[], str]) -> str:
    """The place in words; empty where looking for it fails as well, so that the first fault is the one that is told."""
    try:
        found = where()
    except Exception:  # noqa: BLE001 - see above
        return ""
    return f" {found}" if found else ""
