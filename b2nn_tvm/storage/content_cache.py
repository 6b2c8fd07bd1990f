"""A folder of results that are named by the content they were made from, for all processes of a user.

Each entry is one file, whose first line is the SHA-256 of the rest. It is written under a temporary name and then
renamed, so that any number of processes may read and write at once. An entry that was damaged is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import tempfile
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.errors import InputError

LIMIT_VARIABLE = "B2NN_CACHE_MIB"
DEFAULT_LIMIT_MIB = 512
_KEPT_SHARE = 0.9  # what stays when the folder is too large, so that not every new entry has to look for old ones
_TEMPORARY = ".tmp-"


def user_cache_folder() -> Path:
    """The folder of this user's caches (in $XDG_CACHE_HOME, else in ~/.cache, and an empty $HOME is as good as none).

    Raises InputError for a user without a home, as in a container that is started with a number for its user.
    """
    home = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("HOME") and Path(os.environ["HOME"], ".cache"))
    try:
        return Path(home or Path(pwd.getpwuid(os.getuid()).pw_dir, ".cache")) / "b2nn-tvm"
    except KeyError:
        raise InputError(
            f"the user {os.getuid()} has no home for the cache: let HOME or XDG_CACHE_HOME name a folder"
        ) from None


@dataclass(frozen=True)
class ContentCache:
    """The entries in ``folder``, which take up to ``limit_bytes`` on disk; with 0 nothing is kept or found.

    A folder that cannot be read or written is like an empty one.
    """

    folder: Path
    limit_bytes: int

    def load(self, key: str) -> bytes | None:
        """The content stored under ``key``, a file name; None where there is none, or it is damaged."""
        if not self.limit_bytes:
            return None
        path = self.folder / key
        try:
            digest, _, content = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        with contextlib.suppress(OSError):  # removed by another process, or not ours to touch: it was read all the same
            os.utime(path)
        return content

    def store(self, key: str, content: bytes) -> None:
        """Keep ``content`` under ``key``; ``trim`` bounds the size afterwards."""
        if not self.limit_bytes:
            return
        entry = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
        with contextlib.suppress(OSError):  # a full disk, or a folder without permission: the next process works again
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=_TEMPORARY)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(entry)
                os.replace(temporary, self.folder / key)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    def trim(self) -> None:
        """Where the entries are larger than the limit, remove those that were not used for the longest time."""
        with contextlib.suppress(OSError):
            with os.scandir(self.folder) as listing:
                entries = [(found.stat(), Path(found.path)) for found in listing if found.is_file()]
            total = sum(status.st_size for status, _ in entries)
            if total <= self.limit_bytes:
                return
            for status, path in sorted(entries, key=lambda entry: entry[0].st_mtime_ns):
                if total <= self.limit_bytes * _KEPT_SHARE:
                    return
                path.unlink(missing_ok=True)
                total -= status.st_size


def user_content_cache(name: str) -> ContentCache:
    """The cache ``name`` of this user, as large as $B2NN_CACHE_MIB says (512 MiB by default, 0 switches it off).

    Raises InputError where the variable is no whole number.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_MIB)
    if not text.isdecimal():
        raise InputError(
            f"{LIMIT_VARIABLE} is the size of the cache in MiB, a whole number or 0 for none, not {text!r}"
        )
    return ContentCache(user_cache_folder() / name, int(text) << 20)
