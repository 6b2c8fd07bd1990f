"""What a worker process reads on stdin and says on stdout, line by line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.workers import worker as program
from b2nn_tvm.progress import Progress
from tests.support.paths import ROOT


@dataclass(frozen=True)
class Task:
    """What is asked of the process; it goes there by value."""

    act: Callable[[Progress], dict[str, Any]]

    def run(self, progress: Progress) -> dict[str, Any]:
        return self.act(progress)


def report(progress: Progress) -> dict[str, Any]:
    print("this is no answer")
    progress("whatever", 1, 2)
    progress("whatever", 2, 2, "loss 0.5")
    return {"process": os.getpid()}


def refuse(progress: Progress) -> dict[str, Any]:
    raise BudgetError("allow more")


def fail(progress: Progress) -> dict[str, Any]:
    raise ZeroDivisionError("nothing to share")


@pytest.fixture(autouse=True)
def by_value():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def work(folder: Path, *acts: Callable) -> subprocess.CompletedProcess[str]:
    """A process that works off these tasks, until its stdin ends."""
    lines = []
    for index, act in enumerate(acts):
        path = folder / f"task {index}.pickle"
        path.write_bytes(cloudpickle.dumps(Task(act)))
        lines.append(json.dumps(str(path)) + "\n")
    return worker("".join(lines), folder)


def worker(lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "b2nn_tvm.loop.workers.worker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, input=lines, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


def test_answers_are_lines_of_json_and_nothing_else_is_on_stdout(tmp_path: Path) -> None:
    done = work(tmp_path, report, refuse, report)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    progress = [{"done": 1, "total": 2, "detail": ""}, {"done": 2, "total": 2, "detail": "loss 0.5"}]
    first, last = said[2], said[-1]
    assert "in refuse" in said[3].pop("traceback")
    assert said == [*progress, first, {"error": "allow more", "kind": "BudgetError"}, *progress, last]
    assert first == last and first["result"]["process"] != os.getpid()
    assert done.stderr.count("this is no answer") == 2


def test_without_tasks_it_ends_well(tmp_path: Path) -> None:
    done = work(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_in_the_users_code_is_theirs(tmp_path: Path) -> None:
    done = work(tmp_path, fail, report)
    said, *others = [json.loads(line) for line in done.stdout.splitlines()]
    line = fail.__code__.co_firstlineno + 1
    text = f"the work failed in your code: ZeroDivisionError: nothing to share (test_worker.py:{line})"
    assert (
        "in fail" in said.pop("traceback")
        and said == {"error": text, "kind": "InputError"}
        and done.returncode == 0
        and len(others) == 3
    )


def test_an_error_that_nobody_expects_ends_it(tmp_path: Path) -> None:
    """Where no line of a user's is in it, it is a fault of this program."""
    path = tmp_path / "damaged task.pickle"
    path.write_bytes(b"no pickle")
    done = worker(f"{json.dumps(str(path))}\n", tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert "UnpicklingError" in done.stderr


@pytest.mark.parametrize(
    ("before", "after"), [(signal.SIG_IGN, signal.SIG_IGN), (signal.default_int_handler, signal.SIG_DFL)]
)
def test_an_interruption_that_the_parent_ignores_ends_no_work(monkeypatch: pytest.MonkeyPatch, before, after) -> None:
    """A shell script lets programs in its background ignore it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    found = signal.signal(signal.SIGINT, before)
    try:
        assert program.main() == 0
        assert signal.getsignal(signal.SIGINT) == after
    finally:
        signal.signal(signal.SIGINT, found)
