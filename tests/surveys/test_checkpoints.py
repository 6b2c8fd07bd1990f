"""The forms of checkpoints become what the committed table says."""

from __future__ import annotations

import pytest

from tests.support.surveys.registry import find_survey
from tests.support.surveys.run_survey import FOLDER, read_rows
from tests.support.surveys.worker import as_text

SURVEY = find_survey("checkpoints")
LONG = ("TorchScript", "torch.export", "Lightning", "torch.compile")  # imports of seconds


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.sweep if any(word in name for word in LONG) else ())
        for name in SURVEY.names()
    ],
)
def test_every_form_is_what_the_table_says(name: str) -> None:
    if name.startswith("safetensors"):
        pytest.importorskip("safetensors", reason="safetensors is not installed; make setup gets it")
    wanted = read_rows(SURVEY, FOLDER / "checkpoints.csv")[name]
    row = {column: as_text(value) for column, value in SURVEY.row(name).items()}
    assert {column: row.get(column, "") for column in SURVEY.columns[1:]} == wanted


def test_nothing_is_wrong_and_all_lines_that_are_offered_work() -> None:
    rows = read_rows(SURVEY, FOLDER / "checkpoints.csv")
    assert list(rows) == SURVEY.names()
    for name, row in rows.items():
        assert row["outcome"] in ("taken", "taken with a note", "refused"), name
        assert row["its lines"] in ("", "taken", "taken with a note"), name
        assert bool(row["reason"]) == (row["outcome"] != "taken"), name
