"""Worker processes go on to the next task, report, and pass on how a task failed or died."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.worker_pool import CombinedProgress, WorkerPool


@dataclass(frozen=True)
class Small:
    """What a process does here; it goes there by value, as tasks of a user's script do."""

    folder: Path
    act: Callable[[Callable[[int, int], None]], dict[str, Any]]

    def run(self, report: Callable[[int, int], None]) -> dict[str, Any]:
        return self.act(report)


def count(report) -> dict[str, Any]:
    print("this is no answer")
    report(1, 2)
    return {"process": os.getpid()}


def refuse(report) -> dict[str, Any]:
    raise InputError("expected something else")


def die(report) -> dict[str, Any]:
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


@pytest.fixture(autouse=True)
def by_value():
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_one_process_works_off_all_tasks(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    with WorkerPool(1) as pool:
        report = lambda done, total: heard.append((done, total))
        found = pool.map("abc", lambda name: pool.run(name, Small(tmp_path / name, count), report))
    assert list(found) == ["a", "b", "c"] and len({each["process"] for each in found.values()}) == 1
    assert heard == [(1, 2)] * 3 and os.getpid() not in {each["process"] for each in found.values()}
    assert not list(tmp_path.rglob("task.pickle"))


def test_a_failure_and_a_death_are_told_and_others_go_on(tmp_path: Path) -> None:
    with WorkerPool(1) as pool:
        run = lambda act: pool.run("work", Small(tmp_path, act), lambda done, total: None)
        with pytest.raises(InputError, match="expected something else"):
            run(refuse)
        with pytest.raises(RuntimeError, match="(?s)work on work ended with status 3.*the last words"):
            run(die)
        assert run(count)["process"] != os.getpid()


def test_joint_progress_is_weighted() -> None:
    said: list[float] = []
    joint = CombinedProgress({"short": 1.0, "long": 3.0}, said.append)
    joint.update("short", 1.0)
    joint.update("long", 0.5)
    assert said == [0.25, 0.625]
