"""The folders of images become what the committed table says."""

from __future__ import annotations

import pytest

from tests.support.surveys.registry import find_survey
from tests.support.surveys.run_survey import FOLDER, read_rows
from tests.support.surveys.worker import as_text

SURVEY = find_survey("image_folders")


@pytest.mark.parametrize("name", SURVEY.names())
def test_every_form_is_what_the_table_says(name: str) -> None:
    wanted = read_rows(SURVEY, FOLDER / "image_folders.csv")[name]
    row = {column: as_text(value) for column, value in SURVEY.row(name).items()}
    assert {column: row.get(column, "") for column in SURVEY.columns[1:]} == wanted


def test_nothing_is_wrong() -> None:
    rows = read_rows(SURVEY, FOLDER / "image_folders.csv")
    assert list(rows) == SURVEY.names()
    for name, row in rows.items():
        assert row["outcome"] in ("taken", "taken with a note", "refused"), name
        assert bool(row["taken as"]) == (row["outcome"] != "refused"), name
        assert bool(row["reason"]) == (row["outcome"] != "taken"), name
