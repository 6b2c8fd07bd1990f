"""A folder on a file system of its own, for one process: a tmpfs in a mount namespace, full, read-only or noexec."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FULL, NOEXEC, READ_ONLY = "size=64k,mode=777", "noexec,mode=777", "ro"


def words(folder: Path, options: str = FULL, *, uid: int | None = None) -> tuple[str, ...]:
    """The words before a command that runs with ``folder`` mounted with these options, as user ``uid``; skips where
    nothing can be mounted.
    """
    mount = f'mount -t tmpfs -o {options} tmpfs "{folder}"'
    uid = os.getuid() if uid is None else uid
    if os.getuid() == 0:
        spaces, become = ("unshare", "--mount"), f"setpriv --reuid {uid} --regid {uid} --clear-groups"
    else:
        spaces, become = (
            ("unshare", "--user", "--map-root-user", "--mount"),
            f"unshare --user --map-user={uid} --map-group={uid}",
        )
    found = (*spaces, "sh", "-c", f'{mount} && exec {become} "$@"', "sh")
    if subprocess.run([*found, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount a tmpfs here, not even in a user namespace, so there is no such folder")
    return found
