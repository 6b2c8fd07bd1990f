"""What is drawn of progress on stderr: bars and a spinner on a terminal, lines where there is none."""

from __future__ import annotations

import re
import time

import pytest

from b2nn_tvm.cli import draw_progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


def drawn(capfd: pytest.CaptureFixture) -> str:
    """What stderr got, without escape sequences; nothing went to stdout."""
    printed = capfd.readouterr()
    assert printed.out == ""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed.err)


@pytest.mark.parametrize("draw", [draw_progress.progress, draw_progress.phases])
def test_piped_there_is_one_line_per_phase(draw, capfd) -> None:
    with draw() as progress:
        for done in range(3):
            progress("train [1]", done, 2, "loss 0.5")
        progress("measure", 0, 1)
        progress("train [1]", 2, 2)
    assert drawn(capfd) == "train [1] ...\nmeasure ...\n"


def test_piped_there_is_a_sign_of_life_in_a_long_phase(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(draw_progress, "SILENCE_S", 0.3)
    monkeypatch.setattr(draw_progress, "TICK_S", 0.05)
    with draw_progress.progress() as progress:
        time.sleep(0.4)  # nothing has begun
        progress("train", 3, 40, "loss 0.5")
        time.sleep(1.0)
    first, *later = drawn(capfd).splitlines()
    assert first == "train ..."
    assert 1 <= len(later) <= 3 and all(re.fullmatch(r"0:0\d train 3/40  loss 0\.5 \.\.\.", line) for line in later)


def test_name_count_and_time_left_stay_when_there_is_a_detail(terminal, capfd) -> None:
    """The detail has a line of its own, as far as there is room, and stays until there is another one."""
    detail = "loss 0.5, accuracy 50.0%" + ", and much more" * 6
    with draw_progress.progress() as bars:
        bars("fine-tune the networks to compare with [1]", 1, 4)
        bars("fine-tune the networks to compare with [1]", 2, 4, detail)
        bars("fine-tune the networks to compare with [1]", 3, 4)
    *_, bar, words = drawn(capfd).splitlines()
    assert re.search(r"^fine-tune the netwo.* 3/4 \d:\d\d:\d\d left .*", bar) and len(bar.rstrip()) <= 80
    assert words.strip().startswith("loss 0.5, accuracy 50.0%, and much more") and len(words.rstrip()) <= 80


def test_a_phase_that_is_done_is_one_line_with_its_time(terminal, capfd) -> None:
    with draw_progress.progress() as bars:
        for done in (0, 1, 2, 2):
            bars("measure [2]", done, 2, "as [precise] as asked")
    text = drawn(capfd)
    assert text.count("✓ measure [2] 0:00  as [precise] as asked") == text.count("✓") == 1


def test_a_phase_that_begins_again_after_its_end_gets_a_new_bar(terminal, capfd) -> None:
    with draw_progress.progress() as bars:
        for call in ((1, 2), (2, 2), (2, 2), (1, 3)):
            bars("train", *call)
    lines = drawn(capfd).splitlines()
    assert sum(line.startswith("✓ train 0:00") for line in lines) == 1 and " 1/3 " in lines[-1]


def test_the_spinner_says_phase_count_and_detail(terminal, capfd) -> None:
    with draw_progress.phases() as progress:
        progress("compile: link", 0, 1)
        progress("measure on local", 3, 200, "warm")
    assert "measure on local 3/200  warm" in drawn(capfd)


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (55, "0:55"), (61.6, "1:02"), (3723, "1:02:03")])
def test_durations(seconds: float, words: str) -> None:
    assert draw_progress.clock(seconds) == words
