"""Tables of surveys -> one page: how often each outcome came up in each survey, and what did not end in the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.surveys.registry import CRASHED, OUTCOME, REASON, TIMED_OUT, Survey
from tests.support.surveys.run_survey import FOLDER, Rows, read_rows

PAGE = ROOT / "docs" / "surveys.md"

HEAD = """# Surveys

What others made, tried as it is: how much of it is taken, and what became of the rest. `make surveys` tries what is not
in the tables yet and writes this page; `python -m tests.surveys NAME --fresh` does one survey again from the start.
"""


def write_page(surveys: Iterable[Survey], *, folder: Path = FOLDER, page: Path = PAGE) -> None:
    """Write the page about the surveys that have a table in ``folder``."""
    tables = [(survey, read_rows(survey, folder / f"{survey.name}.csv")) for survey in surveys]
    sections = [section(survey, rows) for survey, rows in tables if rows]
    page.write_text("\n".join([HEAD, *sections]), encoding="utf-8")


def section(survey: Survey, rows: Rows) -> str:
    """The part of the page about one survey, in Markdown."""
    counts = Counter(row[OUTCOME] for row in rows.values())
    order = [*survey.outcomes, CRASHED, TIMED_OUT]
    outcomes = sorted(counts, key=lambda outcome: (order.index(outcome) if outcome in order else len(order), outcome))
    shares = [(outcome, str(counts[outcome]), f"{100 * counts[outcome] / len(rows):.1f} %") for outcome in outcomes]
    others = [(name, row[OUTCOME], row[REASON]) for name, row in rows.items() if row[OUTCOME] != survey.outcomes[0]]
    head = f"## {survey.title}\n\n{survey.about.strip()}\n"
    links = f"All {len(rows)} rows: [{survey.name}.csv](surveys/{survey.name}.csv).\n"
    parts = [head, _table((OUTCOME, "number", "share"), shares), links]
    return "\n".join([*parts, _table((survey.columns[0], OUTCOME, REASON), others)] if others else parts)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *(map(_cell, row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """A text that Markdown shows as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("](", "]\\(")
