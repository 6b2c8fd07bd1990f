"""Networks are built here or by several processes, with the same libraries; each once, and none after the return."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from torch import nn

from b2nn_tvm.loop.measuring import build_side_by_side
from b2nn_tvm.loop.measuring.build_network import build_network, phase_of
from b2nn_tvm.loop.measuring.build_side_by_side import BUILD, build_networks, processes_for
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from tests.support.loop.small_job import NAMES, small_job

CHOICES = (NAMES[:1], NAMES[2:], NAMES[1:3])


@pytest.mark.parametrize(
    ("count", "seconds", "cpus", "gigabytes", "size"),
    [
        (6, 30.0, 2, 16, 2),
        (6, 30.0, 8, 16, 6),
        (40, 30.0, 64, 4, 5),  # memory decides
        (40, 30.0, 64, 1, 1),
        (6, 30.0, 1, 16, 1),
        (1, 300.0, 8, 16, 1),  # nothing to share
        (0, 300.0, 8, 16, 1),
        (6, 1.0, 2, 16, 1),  # built before a process has started
        (40, 1.0, 2, 16, 2),
    ],
)
def test_there_are_as_many_processes_as_pay_and_have_room(
    monkeypatch: pytest.MonkeyPatch, count: int, seconds: float, cpus: int, gigabytes: int, size: int
) -> None:
    monkeypatch.setattr(build_side_by_side, "free_bytes", lambda: gigabytes * 2**30)
    monkeypatch.setattr(build_side_by_side.os, "sched_getaffinity", lambda process: set(range(cpus)))
    assert processes_for(count, seconds, nn.Linear(10, 10)) == size


def test_large_weights_leave_room_for_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_side_by_side, "free_bytes", lambda: 4 * 2**30)
    monkeypatch.setattr(build_side_by_side.os, "sched_getaffinity", lambda process: set(range(8)))
    assert processes_for(9, 30.0, nn.Linear(1, 1)) == 5
    assert processes_for(9, 30.0, nn.Linear(2**12, 2**12)) == 3  # of 64 MiB


@pytest.mark.sweep
def test_processes_build_the_same_libraries_and_are_over_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is built here, each of the others by a process of its own."""
    choices = CHOICES
    heard: list[tuple[str, int, int]] = []
    monkeypatch.setattr(build_side_by_side, "processes_for", lambda count, seconds, model: 2)
    listen = lambda phase, done, total, detail="": heard.append((phase, done, total))
    job = replace(small_job(tmp_path / "state"), progress=listen)
    before = set(psutil.Process().children())
    artifacts = build_networks(job, [*choices, choices[1][::-1]])
    assert list(artifacts) == list(choices) and set(psutil.Process().children()) <= before
    assert heard == [(BUILD, done, 3) for done in range(4)]
    for choice, artifact in artifacts.items():
        assert {row.name for row in artifact.layers if row.precision == "binary"} == set(choice)
    alone = build_network(small_job(tmp_path / "here"), choices[-1])
    assert alone.manifest.library.sha256 == artifacts[choices[-1]].manifest.library.sha256
    again = small_job(tmp_path / "state")
    monkeypatch.setattr(build_side_by_side, "processes_for", lambda count, seconds, model: 1)
    assert list(build_networks(again, choices)) == list(choices)
    assert again.state.reused == [phase_of(again, choice) for choice in choices]


class NotToBePickled(ConversionOptions):
    """As that of a user whose module holds a lock."""

    def __reduce__(self):
        raise TypeError("cannot pickle this")


def test_what_cannot_go_to_another_process_is_built_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, ...]] = []
    monkeypatch.setattr(build_side_by_side, "processes_for", lambda count, seconds, model: 2)
    monkeypatch.setattr(build_side_by_side, "build_network", lambda job, choice: built.append(choice))
    build_networks(small_job(tmp_path, conversion=NotToBePickled()), CHOICES)
    assert built == list(CHOICES)
