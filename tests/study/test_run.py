"""What a study leaves in its folder, and what it says of what failed; test_grid.py runs one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from b2nn_tvm.errors import B2nnError, InputError
from b2nn_tvm.study import table
from b2nn_tvm.study.run import StudyResult, study, write_page
from b2nn_tvm.study.settings import StudySettings
from tests.support.study.rows import made_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table.write(tmp_path / "results.csv", made_up({"mixbin-loss": [0.25, 0.5], "front": [0.5, 0.25]}))
    return tmp_path


def test_without_matplotlib_the_page_has_no_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    notes: list[str] = []
    assert write_page(folder, notes.append) == ["README.md", "results.csv"]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| mixbin-loss | 37.5 ± " in text and "svg" not in text
    assert len(notes) == 1 and "pip install" in notes[0]


def test_a_page_is_made_of_a_study_alone(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("method\nfront\n")
    with pytest.raises(InputError, match=r"expected the results.csv of a study"):
        write_page(tmp_path, [].append)


def test_a_study_without_fronts_has_nothing_to_measure_anew(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no network of this study is measured"):
        study(StudySettings(), output=tmp_path, measure=True)
    assert list(tmp_path.iterdir()) == []


def test_the_first_failure_is_named(tmp_path: Path) -> None:
    StudyResult(tmp_path, (), (), {}).check()
    failed = {"scores/seed-0/greedy": "out of memory", "scores/seed-1/greedy": "disk full"}
    with pytest.raises(B2nnError, match=r"2 pieces of work failed.*scores/seed-0/greedy: out of memory; run the same"):
        StudyResult(tmp_path, (), (), failed).check()
