"""Run a survey: each thing without a row is tried, and its row written at once, so that a run can be interrupted.

The table is docs/surveys/<name>.csv.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.surveys.child import Child
from tests.support.surveys.registry import OUTCOME, REASON, Survey

FOLDER = ROOT / "docs" / "surveys"

Rows = dict[str, dict[str, str]]


def run_survey(
    survey: Survey,
    *,
    folder: Path = FOLDER,
    only: Collection[str] = (),
    keep: Callable[[str, dict[str, str]], bool] = lambda name, row: True,
    start: Callable[[Survey], Child] = Child,
) -> Rows:
    """Complete the table of ``survey`` and return it: rows by the name of the thing, in the order of the names.

    Rows that are there already stay, unless ``keep`` says no of them. ``only`` limits what is tried to these names.
    """
    path = folder / f"{survey.name}.csv"
    child = start(survey)
    names = child.names
    try:
        rows = {name: row for name, row in read_rows(survey, path).items() if name in names and keep(name, row)}
        pending = [name for name in names if name not in rows and (not only or name in only)]
        for number, name in enumerate(pending, 1):
            if not child.alive or child.tried >= survey.per_process:
                child.close()
                child = start(survey)
            begun = time.monotonic()
            rows[name] = child.row(name)
            seconds = time.monotonic() - begun
            print(
                f"{number}/{len(pending)} {name}: {_verdict(rows[name])} ({seconds:.0f} s)", file=sys.stderr, flush=True
            )
            write_rows(survey, path, {known: rows[known] for known in names if known in rows})
    finally:
        child.close()
    rows = {name: rows[name] for name in names if name in rows}
    write_rows(survey, path, rows)
    return rows


def read_rows(survey: Survey, path: Path) -> Rows:
    """The rows of a table that an earlier run left; none where there is no file or its columns are others."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != survey.columns:
            return {}
        return {row.pop(survey.columns[0]): row for row in reader}


def write_rows(survey: Survey, path: Path, rows: Rows) -> None:
    """Write the table in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(survey.columns)
        writer.writerows([name, *(row.get(column, "") for column in survey.columns[1:])] for name, row in rows.items())
    temporary.replace(path)


def _verdict(row: dict[str, str]) -> str:
    return f"{row.get(OUTCOME, '')} {row.get(REASON, '')}".strip()[:160]
