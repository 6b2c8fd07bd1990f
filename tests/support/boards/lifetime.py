"""Server processes of tests that end with the tests, also where those are killed."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
_prctl = ctypes.CDLL(None).prctl


def die_with_parent() -> None:
    """A ``preexec_fn`` of subprocess.Popen."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
