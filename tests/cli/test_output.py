"""Tables and JSON go to stdout, notes to stderr."""

from __future__ import annotations

import json

import pytest

from b2nn_tvm.cli import output
from b2nn_tvm.version import __version__


def test_a_table_in_a_pipe_is_wide_and_aligns_numbers_right(capfd: pytest.CaptureFixture[str]) -> None:
    name = "a_layer_with_a_long_name" * 4
    output.print_table("net [1]", ("layer", "ms"), [(name, "1.5"), ("b [bold]", "12.25")])
    printed = capfd.readouterr()
    title, head, _, first, second = [line.rstrip() for line in printed.out.splitlines() if line.strip()]
    assert printed.err == "" and title == "net [1]"
    assert head.split() == ["layer", "ms"] and first.split() == [name, "1.5"]
    assert second.startswith(" b [bold]") and second.endswith(" 12.25") and len(second) == len(first)


def test_json_is_all_of_stdout_and_a_note_one_line_of_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    head = {"kind": "b2nn-thing", "format_version": 3, "tool_version": __version__}
    for on_one_line in (False, True):
        output.print_document("b2nn-thing", 3, {"a": (1, 2.5, float("nan"))}, on_one_line=on_one_line)
        output.print_note("something was left out")
        printed = capfd.readouterr()
        assert json.loads(printed.out) == {**head, "a": [1, 2.5, None]}
        assert printed.err == "note: something was left out\n"
        assert (printed.out.count("\n") == 1) == on_one_line


def test_lines_end_between_words_on_a_terminal_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "observed [in] 3000 runs: median " + "0.0249 ms, " * 8
    output.print_line(text)
    assert capfd.readouterr().out == f"{text}\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    output.print_line(text)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) > 1 and " ".join(" ".join(lines).split()) == text.strip()
    assert max(map(len, lines)) <= 40
