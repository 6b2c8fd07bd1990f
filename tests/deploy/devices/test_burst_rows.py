"""Bursts as lines of JSON: read as the program prints them, between whatever else a login prints."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from b2nn_tvm.deploy.devices.burst_rows import bursts
from b2nn_tvm.deploy.devices.bursts import Burst, RoundEnd
from b2nn_tvm.errors import DeviceError

START = {"row": "start", "kind": "b2nn-bursts", "format_version": 1, "reference": "r", "networks": ["a", "b"]}
WHOLE = Burst(0, -1, (0.5, 0.25), (), 0.8, 0.75, 1)
PROFILED = Burst(0, 1, (), ((0.125, 0.0625), (0.125, 0.03125)), 0.4, 0.375, 0)
END_OF_ROUND = RoundEnd(0, 2.5, 1.25, 10.0, -1.0, 1500, 48.5, "under-voltage now")
WARM, END = '{"row": "warm", "network": 0}\n', '{"row": "end"}\n'


def line(row: dict | Burst, **change) -> str:
    if isinstance(row, Burst):
        row = {"row": "burst", **vars(row)}
    return json.dumps({**row, **change}) + "\n"


def round_line(end: RoundEnd) -> str:
    row = {"row": "round", **vars(end)}
    row["conditions"] = {name: row.pop(name) for name in ("mhz", "temperature_c", "throttled")}
    return json.dumps(row) + "\n"


def read(*lines: str) -> list[Burst | RoundEnd]:
    return list(bursts((each for each in lines), word="ssh://board", reference="r", networks=["a", "b"]))


def test_rows_are_read_as_they_were_printed():
    rows = read(line(START), WARM, line(WHOLE), line(PROFILED), round_line(END_OF_ROUND), END)
    assert rows == [WHOLE, PROFILED, END_OF_ROUND]


def test_what_is_no_row_is_passed_over():
    noise = ("Welcome!\n", '{"uptime": 3}\n', "\n", line(WHOLE)[:9])
    assert read(*noise, line(START), *noise, line(WHOLE), *noise, END, *noise) == [WHOLE]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "the run stopped before its end and did not say why"),
        ((line(START), line(WHOLE)), "the run stopped before its end and did not say why"),
        ((line(START, kind="other"), END), "expected b2nn-bursts in format version 1, .* prints 'other'"),
        ((line(START, format_version=2), END), "in version 2; compile the network again with this version"),
        ((line(START, reference="x"), END), "other networks run there .* expected the ids r, a, b, but got x, a, b"),
        ((line(START, networks=["b", "a"]), END), "expected the ids r, a, b, but got r, b, a"),
    ],
)
def test_rows_that_are_not_those_asked_for_are_refused(lines, message):
    with pytest.raises(DeviceError, match=f"^ssh://board: .*{message}"):
        read(*lines)


def test_the_lines_are_read_to_their_end_or_closed():
    """So that a program that fails after its last row is noticed, and one that is not waited for ends."""
    seen = []

    def lines() -> Generator[str]:
        try:
            yield from (line(START), line(WHOLE), END)
            seen.append("read to the end")
        finally:
            seen.append("closed")

    rows = bursts(lines(), word="", reference="r", networks=["a", "b"])
    assert next(rows) == WHOLE
    rows.close()
    assert seen == ["closed"]
    assert list(bursts(lines(), word="", reference="r", networks=["a", "b"])) == [WHOLE]
    assert seen == ["closed", "read to the end", "closed"]
