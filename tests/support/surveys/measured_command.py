"""What a command costs: the largest memory of all its processes together, their processor time, and the time on the
clock.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.cli.process_tree import tree

LOOK_S = 0.03  # between two looks


@dataclass(frozen=True)
class Cost:
    """``peak_bytes`` is the largest sum of the proportional set sizes (PSS, proc(5)) of all processes at one time, or
    the largest resident set that a single one ever had (VmHWM), if that is more: a peak between two looks is only in
    the second. ``cpu_s`` is the processor time of all processes that were waited for. ``status`` is the exit status,
    and ``said`` the last line of all that was printed.
    """

    status: int
    said: str
    peak_bytes: int
    cpu_s: float
    wall_s: float


def measure(command: Sequence[str], *, environment: Mapping[str, str]) -> Cost:
    """Run ``command`` to its end."""
    with tempfile.TemporaryFile() as log:
        begun = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        peak = 0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, _together(process.pid))
            time.sleep(LOOK_S)
        wall_s = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines() or [""]
    return Cost(process.returncode, lines[-1], peak, usage.ru_utime + usage.ru_stime, wall_s)


def _together(pid: int) -> int:
    """The bytes that the process and its descendants have now, or the most that one of them has ever had."""
    pids = tree(pid)
    shares = sum(_kilobytes(Path(f"/proc/{each}/smaps_rollup"), "Pss") for each in pids)
    return 1024 * max(shares, *(_kilobytes(Path(f"/proc/{each}/status"), "VmHWM") for each in pids))


def _kilobytes(path: Path, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s*(\d+) kB", path.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    except OSError:  # the process has just ended
        return 0
    return int(found[1]) if found else 0
