"""How tests run a command, and what a refusal looks like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess]


def assert_wrong_usage(done: subprocess.CompletedProcess, *parts: str) -> None:
    """Status 2, nothing on stdout, and usage and an error on stderr that holds all parts."""
    text = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (2, ""), f"status {done.returncode}: {done.stdout}{done.stderr}"
    assert text.startswith("Usage: b2nn-"), text
    missing = [part for part in parts if part.lower() not in text.lower()]
    assert not missing, f"{text!r} does not name {missing}"


def assert_refused(done: subprocess.CompletedProcess, *parts: str) -> None:
    """Status 1 and exactly one line on stderr that starts with "error:" and holds all parts; phases may stand before
    it.
    """
    assert done.returncode == 1, f"status {done.returncode}: {done.stdout}{done.stderr}"
    errors = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert len(errors) == 1 and errors[0].startswith("error: "), done.stderr
    missing = [part for part in parts if part.lower() not in errors[0].lower()]
    assert not missing, f"{errors[0]!r} does not name {missing}"
    assert done.stdout == ""
