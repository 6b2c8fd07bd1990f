"""How much memory this machine, or the control group of this process, has left."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path

MACHINE, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def free_bytes() -> float:
    """The bytes of memory that are left; infinity where neither the machine nor a control group says.

    Of what a control group uses, pages of files that nobody used for a while are as good as free.
    """
    machine = _number(MACHINE, r"^MemAvailable:\s*(\d+) kB$")
    limit, used = _number(GROUP / "memory.max", r"^(\d+)$"), _number(GROUP / "memory.current", r"^(\d+)$")
    found = [] if machine is None else [machine * 1024]
    if limit is not None and used is not None:
        found.append(limit - used + (_number(GROUP / "memory.stat", r"^inactive_file (\d+)$") or 0))
    return max(0, min(found, default=inf))


def _number(path: Path, pattern: str) -> int | None:
    """The number in a file; None on another system, without a control group, and where there is no limit ("max")."""
    try:
        found = re.search(pattern, path.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
