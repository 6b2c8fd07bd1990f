"""Where in the user's own code an exception was raised, and whose fault it is."""

from __future__ import annotations

import site
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import b2nn_tvm
from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.program_fault import faults_of, first_line, is_for_users

_HERE = Path(__file__).resolve().parents[2]  # the package
_BESIDE = tuple(Path(folder) / part for folder in b2nn_tvm.__path__ for part in ("deploy", "schedules", "targets"))
_INSTALLED = tuple(
    str(Path(folder).resolve())
    for folder in (*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib"))
)


@contextmanager
def own_faults(doing: str) -> Iterator[None]:
    """Turn all that is raised inside while ``doing`` something into errors for users: what the user's own code raises
    into InputError, which has its file and line, all else as ``faults_of`` does. Usable as a decorator, too.
    """
    with faults_of(doing):
        try:
            yield
        except Exception as error:
            place = "" if is_for_users(error) else place_of(error)
            if not place:
                raise
            raise InputError(f"{doing} failed in your code ({place}): {first_line(error)}") from error


def place_of(error: BaseException) -> str:
    """The file and line, "net.py:12", of the innermost frame that is the user's; "" where there is none.

    Frames of installed packages, of Python's own library and of this package are nobody's fault but theirs.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_absolute() and path.suffix == ".py" and not _is_installed(path.resolve()):
            return f"{path.name}:{frame.lineno}"
    return ""


def _is_installed(path: Path) -> bool:
    return str(path).startswith(_INSTALLED) or any(map(path.is_relative_to, (_HERE, *_BESIDE)))
