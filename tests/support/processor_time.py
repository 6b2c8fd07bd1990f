"""The processor time of child processes: unlike the wall clock, it is about the same on a busy machine."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path


def seconds_of_children() -> float:
    """What all processes have used that this one started and waited for, with their own children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds_of(command: Sequence[str | Path], *, cwd: Path | None = None) -> float:
    """What the command uses from its start to its end, which must be a success."""
    before = seconds_of_children()
    subprocess.run(command, cwd=cwd, capture_output=True, check=True)
    return seconds_of_children() - before
