"""A folder whose disk is full, for one process: a tmpfs of 64 KiB in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def words(folder: Path, *, uid: int | None = None) -> tuple[str, ...]:
    """The words before a command that runs with ``folder`` on such a disk, as user ``uid``; skips where none can be
    had.
    """
    mount = f'mount -t tmpfs -o size=64k,mode=777 tmpfs "{folder}"'
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
        pytest.skip("nobody may mount a tmpfs here, not even in a user namespace, so there is no full disk")
    return found
