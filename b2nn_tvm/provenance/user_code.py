"""Whose code raised an exception, and what it said: the line in the user's file, and not a piece of a traceback.

torch raises an exception of a process that loads data again in the process that trains, with the whole traceback as its
text; both forms are read here.
"""

from __future__ import annotations

import re
import site
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# In a checkout three parts of the package stand beside its folder.
_HERE = (_PACKAGE, *(_PACKAGE.parent / part for part in ("deploy", "schedules", "targets")))
_INSTALLED = tuple(
    str(Path(folder).resolve())
    for folder in (*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib"))
)
_OF_A_WORKER = "Original Traceback (most recent call last):"
_FRAME = re.compile(r'^\s*File "([^"\n]+)", line (\d+)', re.MULTILINE)


def place_of(error: BaseException) -> str:
    """The file and line, "net.py:12", of the innermost frame that is the user's; "" where there is none.

    Frames of installed packages, of Python's own library and of this package are nobody's fault but theirs.
    """
    if text := _of_a_worker(error):
        return _innermost((name, int(line)) for name, line in _FRAME.findall(text))
    return _innermost((frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__))


def told(error: BaseException) -> str:
    """The kind of the exception, its words on one line, and the user's line: "ValueError: no such sign (net.py:12)"."""
    place = place_of(error)
    return words_of(error) + (f" ({place})" if place else "")


def words_of(error: BaseException) -> str:
    """The last line of the exception's traceback: its kind and its words, on one line."""
    if text := _of_a_worker(error):
        after_frames = [*_FRAME.finditer(text)][-1].end() if _FRAME.search(text) else 0
        said = re.search(r"^\S.*", text[after_frames:].partition("\n")[2], re.MULTILINE | re.DOTALL)
        return " ".join((said[0] if said else text).split())
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def _of_a_worker(error: BaseException) -> str:
    """The traceback in the text of an exception that torch raised again; "" in any other."""
    _, mark, text = str(error).partition(_OF_A_WORKER)
    return text if mark else ""


def _innermost(frames: Iterable[tuple[str, int]]) -> str:
    for name, line in reversed(list(frames)):
        path = Path(name)
        if path.is_absolute() and path.suffix == ".py" and not _is_installed(path.resolve()):
            return f"{path.name}:{line}"
    return ""


def _is_installed(path: Path) -> bool:
    return str(path).startswith(_INSTALLED) or any(path.is_relative_to(folder) for folder in _HERE)
