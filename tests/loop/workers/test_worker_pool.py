"""Worker processes go on to the next task, report, and pass on how a task failed or died."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from b2nn_tvm.errors import InputError, ProgramFault
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.progress import Progress, silent


@dataclass(frozen=True)
class Small:
    """What a process does here; it goes there by value, as tasks of a user's script do."""

    folder: Path
    act: Callable[[Progress], dict[str, Any]]

    def run(self, progress: Progress) -> dict[str, Any]:
        return self.act(progress)


def count(progress) -> dict[str, Any]:
    print("this is no answer")
    progress("the work", 1, 2, "loss 0.5")
    return {"process": os.getpid()}


def refuse(progress) -> dict[str, Any]:
    raise InputError("expected something else")


def die(progress) -> dict[str, Any]:
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


def fail(progress) -> dict[str, Any]:
    raise KeyError("mine")


def kill(progress) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.fixture(autouse=True)
def by_value():
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_one_process_works_off_all_tasks(tmp_path: Path) -> None:
    heard: list[tuple] = []
    with WorkerPool(1, advice="take less") as pool:
        progress = lambda *call: heard.append(call)
        found = pool.map("abc", lambda name: pool.run(name, Small(tmp_path / name, count), progress))
    assert list(found) == ["a", "b", "c"] and len({each["process"] for each in found.values()}) == 1
    assert heard == [(name, 1, 2, "loss 0.5") for name in "abc"] and os.getpid() not in {
        each["process"] for each in found.values()
    }
    assert not list(tmp_path.rglob("task.pickle"))


def test_a_failure_and_a_death_are_told_and_others_go_on(tmp_path: Path) -> None:
    with WorkerPool(1, advice="take less") as pool:
        run = lambda act: pool.run("work", Small(tmp_path, act), silent)
        with pytest.raises(InputError, match="expected something else"):
            run(refuse)
        with pytest.raises(
            InputError, match=r"the work failed in your code: KeyError: 'mine' \(test_worker_pool.py:\d+\)"
        ):
            run(fail)
        with pytest.raises(ProgramFault, match="work on work ended with status 3: the last words; this is a") as died:
            run(die)
        assert "in a worker process" in str(died.value.__cause__)
        with pytest.raises(
            InputError, match="work on work was killed, most likely because the system ran out of memory; take less"
        ):
            run(kill)
        assert run(count)["process"] != os.getpid()
