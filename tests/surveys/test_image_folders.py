"""The folders of images become what the committed table says."""

from __future__ import annotations

import pytest

from tests.support.surveys.registry import find_survey
from tests.support.surveys.run_survey import FOLDER, read_rows
from tests.support.surveys.worker import as_text
from tests.surveys import image_folders


@pytest.mark.parametrize("name", image_folders.names())
def test_every_form_is_what_the_table_says(name: str) -> None:
    survey = find_survey("image_folders")
    wanted = read_rows(survey, FOLDER / "image_folders.csv")[name]
    row = {column: as_text(value) for column, value in image_folders.row(name).items()}
    assert {column: row.get(column, "") for column in survey.columns[1:]} == wanted


def test_nothing_is_wrong() -> None:
    rows = read_rows(find_survey("image_folders"), FOLDER / "image_folders.csv")
    assert list(rows) == image_folders.names()
    for name, row in rows.items():
        assert row["outcome"] in (image_folders.TAKEN, image_folders.NOTED, image_folders.REFUSED), name
        assert bool(row["taken as"]) == (row["outcome"] != image_folders.REFUSED), name
        assert bool(row["reason"]) == (row["outcome"] != image_folders.TAKEN), name
