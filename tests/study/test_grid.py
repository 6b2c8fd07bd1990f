"""A tiny study for real: interrupted, gone on with, and again from disk; its rows re-derive from the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm import models
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.study import table
from b2nn_tvm.study.run import StudyResult, study
from b2nn_tvm.study.settings import SLIMMING, StudySettings
from tests.support.study.few_digits import NAME

SETTINGS = StudySettings(
    width=8,
    data=NAME,
    methods=("front", "rear", SLIMMING),
    budgets=(60, 8),
    seeds=2,
    images=64,
    calibration=32,
    float_epochs=1,
    epochs=1,
    activations=(),
)


def finished(folder: Path) -> dict[Path, int]:
    """The finished trainings and when they finished."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("phase.json")}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Path, int]]:
    """The folder of a study that was interrupted while it fine-tuned, and what it had finished."""
    folder = tmp_path_factory.mktemp("study")

    def progress(phase: str, done: int, total: int) -> None:
        if phase == "fine-tune" and done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(SETTINGS, output=folder, jobs=1, progress=progress)
    return folder, finished(folder)


@pytest.fixture(scope="module")
def found(interrupted) -> StudyResult:
    return study(SETTINGS, output=interrupted[0], jobs=1)


@pytest.mark.sweep
def test_what_was_finished_before_an_interruption_is_not_done_again(interrupted, found: StudyResult) -> None:
    folder, before = interrupted
    after = finished(folder)
    assert before and set(before) < set(after)
    assert all(after[path] == time for path, time in before.items())
    assert not list(folder.rglob("checkpoints")) and not list(folder.rglob("task.pickle"))


@pytest.mark.sweep
def test_a_finished_study_starts_no_process(found: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerPool, "run", lambda *_: pytest.fail("there is nothing left to do"))
    notes: list[str] = []
    assert study(SETTINGS, output=found.folder, jobs=2, note=notes.append).rows == found.rows
    assert notes[0].startswith("8 float trainings and scorings, at most 14 fine-tunings")
    assert table.read(found.folder / "results.csv")[0].method == "all float"


@pytest.mark.sweep
def test_there_is_a_row_for_each_cell(found: StudyResult) -> None:
    cells = [(row.part, row.method, row.budget, row.seed) for row in found.rows]
    wanted = [("reference", "all float", "100", seed) for seed in range(2)] + [
        ("reference", "all binary", "least", seed) for seed in range(2)
    ]
    wanted += [
        ("methods", method, budget, seed) for method in SETTINGS.methods for budget in ("60", "8") for seed in range(2)
    ]
    assert sorted(cells) == sorted(wanted) and found.failed == {}


@pytest.mark.sweep
def test_equal_choices_share_a_training(found: StudyResult) -> None:
    """At the smaller budget front and rear take all layers, as the all-binary network does."""
    by_choice = {}
    for row in found.rows:
        if row.layers:
            by_choice.setdefault((row.model, row.seed, row.layers), set()).add(row.training)
    assert all(len(names) == 1 for names in by_choice.values())
    trained = {path.parent for path in finished(found.folder) if "/networks/" in str(path)}
    assert len(trained) == len(by_choice) < sum(bool(row.layers) for row in found.rows)


@pytest.mark.sweep
def test_the_achieved_flops_are_those_of_the_chosen_layers(found: StudyResult) -> None:
    model = models.cresnet20(10, 3, width=8, image_size=8)
    full = flops(model, (3, 8, 8))
    for row in (row for row in found.rows if row.seed == 0):
        assert row.float_flops == full
        assert row.share == row.flops / row.float_flops
        if row.method == SLIMMING:
            assert row.flops <= max(
                other.flops for other in found.rows if other.budget == row.budget and other.part == "methods"
            )
        else:
            assert row.flops == flops(model, (3, 8, 8), row.binary)
        if row.part == "methods":
            assert row.share <= float(row.budget) / 100


def test_an_impossible_budget_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="every eligible layer binary; choose from"):
        study(replace(SETTINGS, budgets=(60, 1)), output=tmp_path)
    assert list(tmp_path.iterdir()) == []
