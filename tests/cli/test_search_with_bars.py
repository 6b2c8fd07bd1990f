"""A search from Python shows how far it is, unless it is told to be silent."""

from __future__ import annotations

import inspect

import pytest

import b2nn_tvm
from b2nn_tvm.cli.search_with_bars import search, with_bars
from b2nn_tvm.loop import search as quiet
from b2nn_tvm.progress import Note, Progress, as_progress


def engine(word: str, *, progress: Progress | None = None, note: Note = print) -> str:
    """A work of two phases with a remark."""
    report = as_progress(progress)
    report("train", 1, 2)
    note(f"{word} is small")
    report("measure", 0, 1)
    return word.upper()


def test_phases_and_notes_are_on_stderr(capfd: pytest.CaptureFixture) -> None:
    assert with_bars(engine)("net") == "NET"
    printed = capfd.readouterr()
    assert printed.out == "" and set(printed.err.splitlines()) == {"train ...", "note: net is small", "measure ..."}


def test_what_is_given_takes_their_place(capfd: pytest.CaptureFixture) -> None:
    phases: list[str] = []
    with_bars(engine)("net", progress=lambda phase, done, total: phases.append(phase), note=phases.append)
    assert phases == ["train", "net is small", "measure"]
    with_bars(engine)("net", progress=None, note=phases.append)
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_the_public_search_is_such_a_one() -> None:
    assert b2nn_tvm.search is search
    assert inspect.signature(search) == inspect.signature(quiet.search) and search.__doc__ == quiet.search.__doc__
