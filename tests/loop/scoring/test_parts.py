"""Layers scored in parts have the scores of the whole, bit for bit, and what is known is not computed again."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
import torch
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.scoring.parts import Part, Subject, known_scores, score_in_parts
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.loop.workers.worker_pool import Task
from b2nn_tvm.mixbin.selectors import registry
from b2nn_tvm.progress import Progress, silent
from tests.support.mixbin import noise

PATIENCE_S = 90


class Here:
    """A pool whose tasks run in this process, one after the other."""

    def __init__(self, size: int) -> None:
        self.size, self.done = size, list[str]()

    def map(self, names: Iterable[str], one: Callable[[str], Any]) -> dict[str, Any]:
        return {name: one(name) for name in names}

    def run(self, name: str, task: Task, progress: Progress) -> dict[str, Any]:
        task.folder.mkdir(parents=True, exist_ok=True)
        self.done.append(f"{name}: {len(task.layers)}")
        return task.run(lambda phase, *rest: progress(name, *rest))


def subject(method: str = "mixbin-loss", **options: Any) -> Subject:
    return Subject(method, noise.network().eval(), noise.images().calibration(seed=0), options)


def scored(pool: Here, folder: Path, method: str = "mixbin-loss", **layers: Any) -> dict[str, dict[str, float]]:
    wanted = layers or {"binary": noise.LAYERS}
    return score_in_parts(pool, subject(method), wanted, folder, phase="score", progress=silent)


def whole(method: str = "mixbin-loss", precision: str = "binary") -> dict[str, float]:
    given = subject(method)
    found = registry.score(method, given.model, given.batches, layers=noise.LAYERS, precision=precision)
    return dict(found.scores)


def test_parts_have_the_scores_of_the_whole_and_known_ones_are_not_computed_again(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    pool = Here(3)
    found = score_in_parts(
        pool,
        subject(),
        {"binary": noise.LAYERS},
        tmp_path,
        phase="score",
        progress=lambda *said: told.append(said),
    )
    assert found == {"binary": whole()} and list(found["binary"]) == list(noise.LAYERS)
    assert pool.done == ["binary 1: 2", "binary 2: 1", "binary 3: 1"]
    assert told[-1] == ("score", 100, 100, "") and [done for _, done, *_ in told] == sorted(said[1] for said in told)
    assert not (tmp_path / "subject.pickle").exists()
    (tmp_path / "parts" / "binary-1" / "sensitivity.json").unlink()
    assert set(known_scores(tmp_path, "mixbin-loss", "binary")) == {noise.LAYERS[1], noise.LAYERS[2]}
    fewer, idle = Here(1), Here(4)  # workers than there were, and more
    assert scored(fewer, tmp_path) == found and fewer.done == ["binary 1: 2"]
    assert scored(idle, tmp_path) == found and idle.done == []


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("method", "precision"),
    [
        *((method, "binary") for method in sorted(registry.IN_PARTS)),
        *((method, "int8") for method in sorted(registry.IN_PARTS & registry.KNOW_PRECISIONS)),
    ],
)
def test_so_they_have_by_every_method_that_has_parts(tmp_path: Path, method: str, precision: str) -> None:
    found = scored(Here(2), tmp_path, method, **{precision: noise.LAYERS})
    assert found == {precision: whole(method, precision)}


def test_a_method_that_scores_layers_together_is_one_part(tmp_path: Path) -> None:
    pool = Here(3)
    assert scored(pool, tmp_path, "front") == {"binary": whole("front")} and pool.done == ["binary 1: 4"]
    assert known_scores(tmp_path, "front", "binary") == {}


def test_a_network_that_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    given = subject()
    given.model.lock = threading.Lock()
    with pytest.raises(InputError, match="the network cannot be sent to a worker .*; leave out the scheduler"):
        score_in_parts(Here(1), given, {"binary": noise.LAYERS}, tmp_path, phase="score", progress=silent)


def test_a_machine_without_the_networks_module_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("elsewhere")
    theirs.Net = type("Net", (torch.nn.Identity,), {"__module__": "elsewhere"})
    monkeypatch.setitem(sys.modules, "elsewhere", theirs)
    (tmp_path / "subject").write_bytes(pickle.dumps(theirs.Net()))
    monkeypatch.delitem(sys.modules, "elsewhere")
    part = Part(tmp_path / "subject", (), noise.LAYERS, "binary", tmp_path / "sensitivity.json", tmp_path)
    with pytest.raises(InputError, match="cannot load the network: No module named 'elsewhere'; install what it is"):
        part.run(silent)


def stalling(log: Path) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss, whose third call of all waits to be killed; ``log`` has the process of every call, in order."""

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with log.open("a") as file:
            print(os.getpid(), file=file)
        if len(log.read_text().split()) == 3:
            time.sleep(PATIENCE_S)
        return F.cross_entropy(outputs, labels)

    return loss


@pytest.mark.sweep
def test_the_part_of_a_killed_worker_goes_on_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies after the float network and the first layer, neither of which is computed again.

    The network's class is of a module that only this process knew where to find.
    """
    distributed = pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    log = tmp_path / "calls"

    def kill() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if log.exists() and len(calls := log.read_text().split()) == 3:
                os.kill(int(calls[-1]), signal.SIGKILL)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        DaskPool(cluster.scheduler_address) as pool,
    ):
        (tmp_path / "theirs.py").write_text(
            "from b2nn_tvm.models.bireal import BiRealNet as Net\n\nclass Own(Net): ...\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        given = subject(loss=stalling(log))
        given.model.__class__ = import_module("theirs").Own
        killer.start()
        found = score_in_parts(pool, given, {"binary": noise.LAYERS}, tmp_path, phase="score", progress=silent)
        killer.join()
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    first, second = sorted(set(calls := log.read_text().split()), key=calls.index)
    assert len(given.batches) == 1 and [calls.count(first), calls.count(second)] == [3, 3]
    assert found == {"binary": whole()}
