"""The frame of the surveys: each thing in a child process, tables that resume, a page made from them."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.paths import ROOT
from tests.support.surveys.child import Child
from tests.support.surveys.registry import NAMES, Survey, find_survey, survey_of
from tests.support.surveys.run_survey import FOLDER, read_rows, run_survey
from tests.support.surveys.write_page import PAGE, section, write_page

# The worker's side: a survey whose things are crashes of each kind.
PROGRAM = """
import os, signal, sys, time
from types import ModuleType
from tests.support.surveys.registry import survey_of
from tests.support.surveys.worker import work

def row(name):
    print("words of a library")
    if name == "killed":
        os.kill(os.getpid(), signal.SIGFPE)
    if name == "left":
        sys.exit("cannot go on")
    if name == "slow":
        time.sleep(60)
    return {"outcome": "passed", "reason": "one\\nline", "number": 1.25}

module = ModuleType("toy")
module.TITLE, module.ABOUT, module.COLUMNS, module.OUTCOMES = "", "", ("thing", "outcome", "reason", "number"), ()
module.names, module.row = lambda: ["first", "killed", "left", "slow", "last"], row
work(survey_of("toy", module))
"""


@pytest.fixture
def toy() -> Survey:
    module = ModuleType("toy")
    module.TITLE, module.ABOUT, module.OUTCOMES = "A toy", "Made for this test.", ("passed", "refused")
    module.COLUMNS, module.LIMIT_S, module.PER_PROCESS = ("thing", "outcome", "reason", "number"), 2, 3
    module.names, module.row = list, dict
    return survey_of("toy", module)


def start(survey: Survey) -> Child:
    return Child(survey, worker=("-c", PROGRAM))


def test_a_thing_that_kills_its_process_is_a_row_and_the_survey_goes_on(toy: Survey, tmp_path: Path) -> None:
    rows = run_survey(toy, folder=tmp_path, start=start)
    assert [(name, row["outcome"], row["reason"]) for name, row in rows.items()] == [
        ("first", "passed", "one line"),
        ("killed", "crashed", "SIGFPE"),
        ("left", "crashed", "exit 1: cannot go on"),
        ("slow", "timed out", "no answer within 2 s"),
        ("last", "passed", "one line"),
    ]
    assert (tmp_path / "toy.csv").read_text() == (
        "thing,outcome,reason,number\n"
        "first,passed,one line,1.25\n"
        "killed,crashed,SIGFPE,\n"
        "left,crashed,exit 1: cannot go on,\n"
        "slow,timed out,no answer within 2 s,\n"
        "last,passed,one line,1.25\n"
    )


def test_rows_that_are_there_are_not_tried_again(toy: Survey, tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_text(
        "thing,outcome,reason,number\ngone,passed,,\nslow,refused,by hand,\nfirst,refused,by hand,\n"
    )
    rows = run_survey(toy, folder=tmp_path, start=start, only=["first", "last"], keep=lambda name, row: name != "first")
    assert {name: row["reason"] for name, row in rows.items()} == {
        "first": "one line",
        "slow": "by hand",
        "last": "one line",
    }
    assert list(rows) == ["first", "slow", "last"]


def test_a_table_with_other_columns_is_begun_anew(toy: Survey, tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_text("thing,outcome\nfirst,refused\n")
    assert read_rows(toy, tmp_path / "toy.csv") == {}


def test_a_survey_that_cannot_start_says_why(toy: Survey) -> None:
    with pytest.raises(RuntimeError, match="the survey toy does not start: exit 1: no such package"):
        Child(toy, worker=("-c", "raise SystemExit('no such package')"))


def test_the_columns_that_the_frame_fills_are_asked_for(toy: Survey) -> None:
    module = ModuleType("toy")
    module.COLUMNS = ("outcome", "reason")  # the first is the name of the thing
    with pytest.raises(ValueError, match="lacks outcome"):
        survey_of("toy", module)
    with pytest.raises(SystemExit, match="there is no survey 'toys'"):
        find_survey("toys")


def test_the_page_counts_and_lists_what_is_not_right(toy: Survey) -> None:
    passed = {"outcome": "passed", "reason": "", "number": "1"}
    rows = {"a": passed, "b": {"outcome": "crashed", "reason": "x|y <z>", "number": ""}, "c": passed}
    text = section(toy, rows)
    assert "| passed | 2 | 66.7 % |\n| crashed | 1 | 33.3 % |\n" in text
    assert "| b | crashed | x\\|y &lt;z> |" in text
    assert "| a |" not in text


def test_the_page_is_made_from_the_tables(tmp_path: Path) -> None:
    write_page(map(find_survey, NAMES), page=tmp_path / "surveys.md")
    assert PAGE.read_text(encoding="utf-8") == (tmp_path / "surveys.md").read_text(encoding="utf-8")


def test_every_table_belongs_to_a_survey_and_is_complete_in_itself() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(NAMES)
    for name in NAMES:
        survey = find_survey(name)
        assert re.fullmatch(r"[a-z0-9_]+", name)
        assert (ROOT / "tests" / "surveys" / f"{name}.py").is_file()
        rows = read_rows(survey, FOLDER / f"{name}.csv")
        assert rows
        assert {row["outcome"] for row in rows.values()} <= {*survey.outcomes, "crashed", "timed out"}
