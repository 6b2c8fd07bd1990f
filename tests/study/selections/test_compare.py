"""Selections compared for real, at toy size, and what each of them chooses."""

from __future__ import annotations

import pytest

from b2nn_tvm.study.run import StudyResult, study
from b2nn_tvm.study.settings import SELECTIONS, StudySettings
from tests.support.study.few_digits import NAME

SETTINGS = StudySettings(
    model="vgg_small",
    width=4,
    data=NAME,
    methods=(),
    activations=(),
    selections=SELECTIONS,
    budgets=(60,),
    seeds=1,
    images=64,
    calibration=32,
    float_epochs=1,
    epochs=1,
    short_epochs=1,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return study(SETTINGS, output=tmp_path_factory.mktemp("study"), jobs=1, hypothesis=7)


@pytest.mark.sweep
def test_each_selection_has_its_row_and_keeps_the_budget(found: StudyResult) -> None:
    assert found.failed == {}
    assert [(row.part, row.method, row.budget) for row in found.rows] == [
        ("selections", name, "60") for name in SELECTIONS
    ]
    assert all(row.share <= 0.6 and row.binary and not row.topped_up for row in found.rows)
    assert (found.folder / "state" / "runners-up").is_dir()


@pytest.mark.sweep
def test_the_same_study_again_has_the_same_rows(found: StudyResult) -> None:
    assert study(SETTINGS, output=found.folder, jobs=1, hypothesis=7).rows == found.rows
