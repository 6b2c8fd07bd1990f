"""Tasks on a real local cluster of dask: results, progress, errors, and a worker that is killed in the middle."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.progress import Progress, silent

PATIENCE_S = 90


@dataclass(frozen=True)
class Task:
    """What is asked of the worker; it goes there by value."""

    folder: Path
    act: Callable[[Path, Progress], dict[str, Any]]

    def run(self, progress: Progress) -> dict[str, Any]:
        return self.act(self.folder, progress)


def report(folder: Path, progress: Progress) -> dict[str, Any]:
    progress("whatever", 2, 2, "loss 0.5")
    return {"process": os.getpid(), "files": [path.suffix for path in folder.iterdir()]}


def refuse(folder: Path, progress: Progress) -> dict[str, Any]:
    raise BudgetError("allow more")


def wait_to_be_killed(folder: Path, progress: Progress) -> dict[str, Any]:
    """The first time, say the process and wait; after that, say how often it was begun."""
    begun = len(list(folder.glob("*.pid")))
    (folder / f"{os.getpid()}.pid").touch()
    if not begun:
        time.sleep(PATIENCE_S)
    return {"begun": begun + 1}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started:
        yield started
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.sweep
def test_tasks_run_elsewhere_and_tell_how_they_go(cluster, tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    with DaskPool(cluster.scheduler_address) as pool:
        assert pool.size == 2
        one = lambda name: pool.run(name, Task(tmp_path / name, report), lambda *said: told.append(said))
        found = pool.map(["first", "second"], one)
        deadline = time.monotonic() + PATIENCE_S
        while len(told) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert list(found) == ["first", "second"] and os.getpid() not in {each["process"] for each in found.values()}
    assert sorted(told) == [("first", 2, 2, "loss 0.5"), ("second", 2, 2, "loss 0.5")]
    assert all(each["files"] == [".here"] for each in found.values())
    assert not list((tmp_path / "first").iterdir())


@pytest.mark.sweep
def test_the_error_of_a_task_is_raised_here(cluster, tmp_path: Path) -> None:
    with DaskPool(cluster.scheduler_address) as pool, pytest.raises(BudgetError, match="allow more"):
        pool.run("task", Task(tmp_path, refuse), silent)


@pytest.mark.sweep
def test_the_task_of_a_killed_worker_is_begun_again(cluster, tmp_path: Path) -> None:
    def kill() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := list(tmp_path.glob("*.pid"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(int(found[0].stem), signal.SIGKILL)

    with DaskPool(cluster.scheduler_address) as pool:
        killer = threading.Thread(target=kill)
        killer.start()
        assert pool.run("task", Task(tmp_path, wait_to_be_killed), silent) == {"begun": 2}
        killer.join()


@pytest.mark.sweep
def test_a_worker_of_several_threads_is_refused(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as wide,
        DaskPool(wide.scheduler_address) as pool,
        pytest.raises(InputError, match="has 2 threads; start it with --nthreads 1"),
    ):
        pool.run("task", Task(tmp_path, report), silent)


@pytest.mark.sweep
def test_a_scheduler_without_workers_is_refused() -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(InputError, match="has no workers; start them with `dask worker"),
    ):
        DaskPool(empty.scheduler_address)


def test_an_address_where_nobody_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    monkeypatch.setattr("b2nn_tvm.loop.workers.dask_pool.TIMEOUT_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://there"):
        with pytest.raises(InputError, match=f"no dask scheduler answers at '{address}'"):
            DaskPool(address)


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'b2nn-tvm\[cluster\]'"):
        DaskPool("tcp://127.0.0.1:8786")
