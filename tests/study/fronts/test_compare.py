"""Some fronts for real, at toy size: trained, compiled and measured on this machine, then measured anew."""

from __future__ import annotations

import pytest

from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.study import table
from b2nn_tvm.study.run import StudyResult, study
from b2nn_tvm.study.settings import StudySettings
from tests.support.study.few_digits import NAME

SETTINGS = StudySettings(
    model="vgg_small",
    width=4,
    data=NAME,
    methods=(),
    activations=(),
    fronts=("float", "binary", "mixbin 1,8,32"),
    narrower=(50,),
    ways=(60,),
    mixtures=0,
    seeds=1,
    images=64,
    calibration=32,
    float_epochs=1,
    epochs=1,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return study(SETTINGS, output=tmp_path_factory.mktemp("study"), jobs=1, hypothesis=6)


@pytest.mark.sweep
def test_every_network_of_every_front_is_trained_and_measured(found: StudyResult) -> None:
    assert found.failed == {}
    cells = [(row.method, row.budget) for row in found.rows]
    assert cells == [
        *(("float", "100"), ("float", "50"), ("binary", "100")),
        ("mixbin 1,8,32", "60"),
    ]
    for row in found.rows:
        assert row.part == "fronts" and row.target.startswith("native (") and row.cpu and row.threads == 1
        assert 0 < row.low_ms <= row.ms <= row.high_ms and 0 <= row.test <= 1 and row.epochs == 1
    times = {(row.width, row.layers): row.ms for row in found.rows}
    assert all(times[row.width, row.layers] == row.ms for row in found.rows)
    words = {row.method: row.layers for row in found.rows if row.budget == "100"}
    assert words["float"] == "" and words["binary"] and "@" not in words["binary"]
    assert table.read(found.folder / "results.csv")[0].ms == pytest.approx(found.rows[0].ms, rel=1e-5)


@pytest.mark.sweep
def test_the_page_has_the_fronts_and_their_figure(found: StudyResult) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures: pip install 'b2nn-tvm[study]'")
    text = (found.folder / "README.md").read_text(encoding="utf-8")
    assert "![milliseconds](milliseconds.svg)" in text and (found.folder / "milliseconds.svg").is_file()
    assert f"| within | {' | '.join(SETTINGS.fronts)} |" in text and "| float at 50 % of the width |" in text


@pytest.mark.sweep
def test_measuring_anew_trains_and_chooses_nothing(found: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = {path for path in found.folder.rglob("phase.json") if "measured" not in path.parts}
    before = {path: path.stat().st_mtime_ns for path in trained if "times" not in path.parts}
    monkeypatch.setattr(WorkerPool, "run", lambda *_: pytest.fail("there is nothing left to train"))
    again = study(SETTINGS, output=found.folder, jobs=1, hypothesis=6, measure=True)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert [row.layers for row in again.rows] == [row.layers for row in found.rows]
    assert [row.ms for row in again.rows] != [row.ms for row in found.rows]
