"""Where in the user's own code an exception was raised."""

from __future__ import annotations

import site
import sysconfig
import traceback
from pathlib import Path

_HERE = Path(__file__).resolve().parents[2]  # the package
_INSTALLED = tuple(
    str(Path(folder).resolve())
    for folder in (*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib"))
)


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
    return str(path).startswith(_INSTALLED) or path.is_relative_to(_HERE)
