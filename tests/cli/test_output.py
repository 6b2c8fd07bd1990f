"""What is drawn of progress on stderr: bars and a spinner on a terminal, a line per phase where there is none."""

from __future__ import annotations

import re

import pytest

from b2nn_tvm.cli import output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def drawn(capfd: pytest.CaptureFixture) -> str:
    """What stderr got, without escape sequences; nothing went to stdout."""
    printed = capfd.readouterr()
    assert printed.out == ""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed.err)


@pytest.mark.parametrize("draw", [output.progress, output.phases])
def test_piped_there_is_one_line_per_phase(draw, capfd) -> None:
    with draw() as progress:
        for done in range(3):
            progress("train [1]", done, 2, "loss 0.5")
        progress("measure", 0, 1)
        progress("train [1]", 2, 2)
    assert drawn(capfd) == "train [1] ...\nmeasure ...\n"


def test_a_bar_keeps_its_last_detail_until_there_is_another(terminal, capfd) -> None:
    with output.progress() as bars:
        bars("train [1]", 1, 4)
        bars("train [1]", 2, 4, "loss 0.5, accuracy 50.0%")
        bars("train [1]", 3, 4)
        bars("measure", 0, 1)
    *_, train, measure = drawn(capfd).splitlines()
    assert re.search(r"^train \[1\] .* 3/4 \d:\d\d:\d\d left .*loss 0\.5, accuracy 50\.0%", train)
    assert re.search(r"^measure .* 0/1 ", measure) and "loss" not in measure


def test_a_phase_that_begins_again_after_its_end_gets_a_new_bar(terminal, capfd) -> None:
    with output.progress() as bars:
        for call in ((1, 2), (2, 2), (2, 2), (1, 3)):
            bars("train", *call)
    *_, first, second = drawn(capfd).splitlines()
    assert " 2/2 " in first and " 1/3 " in second


def test_the_spinner_says_phase_count_and_detail(terminal, capfd) -> None:
    with output.phases() as progress:
        progress("compile: link", 0, 1)
        progress("measure on local", 3, 200, "warm")
    assert "measure on local 3/200  warm" in drawn(capfd)
