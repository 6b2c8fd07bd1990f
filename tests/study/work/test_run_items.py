"""Items are run once, and one that fails stops no other; worker processes are not needed to see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.clock import Clock
from b2nn_tvm.study.work.run_items import Item, Runner
from tests.support.study.rows import made_up


@dataclass(frozen=True)
class Count:
    """A task that notes that it ran; below zero it fails."""

    folder: Path
    number: int

    def run(self, progress: Progress) -> dict[str, Any]:
        if self.number < 0:
            raise InputError("below zero")
        with open(self.folder / "ran", "a", encoding="utf-8") as file:
            file.write("x")
        return {"number": self.number}


class Here:
    """A pool that runs each task where it is asked."""

    size = 1

    def map(self, names, one):
        return {name: one(name) for name in names}

    def run(self, name, task, progress):
        return task.run(progress)


def item(number: int) -> Item:
    return Item({"number": number}, lambda folder: Count(folder, number), 1.0)


def test_results_are_kept_failures_are_noted_and_the_others_go_on(tmp_path: Path) -> None:
    row, kept = made_up({"front": [0.5]}), []
    run = lambda items, known=list: (
        (runner := Runner(State(tmp_path), Here(), Clock(1, None), silent, kept.append)),
        runner.run("count", items, {}, known),
    )
    runner, results = run({"bad": item(-1), "good": item(2)}, lambda: row)
    assert results == {"good": {"number": 2}} and runner.failed == {"bad": "below zero"} and kept == [row]
    runner, results = run({"good": item(2)})
    assert results == {"good": {"number": 2}} and (tmp_path / "good" / "ran").read_text() == "x"
    run({"good": item(3)})
    assert (tmp_path / "good" / "ran").read_text() == "x"  # of the new number, in an empty folder
    assert len(kept) == 1
