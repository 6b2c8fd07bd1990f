"""b2nn-run as a process, for its tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from b2nn_tvm.deploy.library.library_files import RUNNER


def start(net: Path, *words: object, **options) -> subprocess.CompletedProcess:
    """Run the program of the folder ``net`` with ``words``."""
    command = [net / RUNNER, *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def refused(net: Path, *words: object, status: int = 1) -> str:
    """The one line that says what is wrong."""
    done = start(net, *words)
    assert (done.returncode, done.stdout) == (status, ""), done
    (line,) = done.stderr.splitlines()
    return line


def output_words(paths: Iterable[Path | str]) -> list[object]:
    """The option for each output."""
    return [word for path in paths for word in ("--output", path)]
