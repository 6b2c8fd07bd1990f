"""Whether a folder or a file can be written, found out by trying it before any work is done for it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from b2nn_tvm.errors import InputError


def try_to_write(folder: str | os.PathLike[str], *, remedy: str = "choose another one") -> None:
    """Raise InputError, which ends in the ``remedy``, where nothing can be written into ``folder``, which need not be
    there yet. Nothing is left behind.
    """
    path, made = Path(folder), list[Path]()
    try:
        for part in (*reversed(path.absolute().parents), path.absolute()):
            if not part.exists():
                part.mkdir()
                made.append(part)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".b2nn-") as probe:
            probe.write(b"0")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise InputError(
            f"{path}: nothing can be written into this folder ({_dangling(path) or error.strerror}); {remedy}"
        ) from None
    finally:
        for part in reversed(made):
            with suppress(OSError):  # somebody else has put something there meanwhile
                part.rmdir()


def _dangling(path: Path) -> str:
    """What a link on the way that leads nowhere is to be called; the system says of it that it exists."""
    for part in (path, *path.parents):
        if part.is_symlink() and not part.exists():
            return f"{part} is a link to {os.readlink(part)}, which is not there"
    return ""


def try_to_write_file(file: str | os.PathLike[str]) -> None:
    """The same for a ``file``, which takes the place of one that is there; raises InputError for a folder, too."""
    path = Path(file)
    if path.is_dir():
        raise InputError(f"{path}: expected the name of a file, but this is a folder; give a file in it")
    try_to_write(path.parent)
