"""What is drawn of progress on stderr: bars and a spinner on a terminal, lines where there is none."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import sys
import time

import pytest
from rich.console import Console

from b2nn_tvm.cli import draw_progress
from tests.support.paths import ROOT


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


def test_piped_the_whole_is_told_where_a_phase_begins(capfd) -> None:
    with draw_progress.progress(lambda phase, done, total: f"phase {done} of 8") as progress:
        progress("train", 3, 40)
        progress("train", 4, 40)
    assert drawn(capfd) == "train (phase 3 of 8) ...\n"


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


def test_nothing_of_the_drawing_is_left_at_its_end(terminal, capfd) -> None:
    with draw_progress.progress(lambda phase, done, total: "phase 3 of 3") as bars:
        bars("measure", 1, 2)
        bars("measure", 2, 2)
    _, mark, after = drawn(capfd).rpartition("✓ measure 0:00")
    assert mark and "phase" not in after


def test_the_time_left_is_known_where_each_step_takes_minutes() -> None:
    seconds = 0.0
    bars = draw_progress._bars(Console(file=io.StringIO()))
    bars.get_time = lambda: seconds
    task = bars.add_task("train", total=4)
    for done in (1, 2):
        seconds += 100.0
        bars.update(task, completed=done)
    assert bars.tasks[0].time_remaining == pytest.approx(200.0)


def test_the_spinner_says_phase_count_and_detail(terminal, capfd) -> None:
    with draw_progress.phases() as progress:
        progress("compile: link", 0, 1)
        progress("measure on local", 3, 200, "warm")
    assert "measure on local 3/200  warm" in drawn(capfd)


INTERRUPTED = """
import threading, time
import click
from b2nn_tvm.cli import draw_progress
from b2nn_tvm.cli.command import Command

@click.command(cls=Command)
def main():
    with draw_progress.progress(lambda phase, done, total: "phase 2 of 8") as bars:
        bars("measure", 3, 3)
        bars("train", 1, 1000)
        def work():
            for step in range(2, 1000):
                bars("train", step, 1000, f"parent: loss 0.{step}")
                time.sleep(0.02)
        training = threading.Thread(target=work, daemon=True)
        training.start()
        training.join()

main()
"""


def screen(text: str) -> list[str]:
    """The lines that a terminal shows: what is erased or written over is gone."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif up := re.fullmatch(r"\x1b\[(\d+)A", part):
            row -= int(up[1])
        elif part != "\r" and not part.startswith("\x1b"):
            lines[row] += part
    return [line.rstrip() for line in lines if line.strip()]


def test_after_an_interruption_each_bar_is_there_once() -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "PYTHONPATH": str(ROOT)}
        os.execv(sys.executable, [sys.executable, "-c", INTERRUPTED])
    shown, pressed = "", False
    with contextlib.suppress(OSError):  # the end of a terminal whose program has ended
        while part := os.read(terminal, 65536):
            shown += part.decode()
            if "loss 0." in shown and not pressed:
                os.write(terminal, b"\x03")  # Ctrl-C
                pressed = True
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    measured, bar, detail, whole, end = screen(shown)
    assert measured.startswith("✓ measure") and bar.startswith("train ") and "parent: loss 0." in detail
    assert whole.strip() == "phase 2 of 8" and end == "interrupted: run the same command again"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (55, "0:55"), (61.6, "1:02"), (3723, "1:02:03")])
def test_durations(seconds: float, words: str) -> None:
    assert draw_progress.clock(seconds) == words
