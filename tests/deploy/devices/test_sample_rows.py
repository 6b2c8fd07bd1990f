"""Samples and bursts as lines of JSON: read as they were written, between whatever else a login prints."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from b2nn_tvm.deploy.devices.bursts import Burst, RoundEnd
from b2nn_tvm.deploy.devices.sample_rows import bursts, row_of, samples, start_row
from b2nn_tvm.deploy.devices.samples import Sample
from b2nn_tvm.errors import DeviceError

START = {"row": "start", "kind": "b2nn-profile", "format_version": 1, "model_id": "abc", "threads": 2}
END = '{"row": "end"}\n'
SAMPLES = [Sample(2, run_ms=0.25), Sample(2, run_ms=0.5), Sample(2, step_ms=(0.125, 0.0625))]
BURSTS = {"row": "start", "kind": "b2nn-bursts", "format_version": 1, "reference": "r", "networks": ["a", "b"]}
WHOLE = Burst(0, -1, (0.5, 0.25), (), 0.8, 0.75, 1)
PROFILED = Burst(0, 1, (), ((0.125, 0.0625), (0.125, 0.03125)), 0.4, 0.375, 0)
END_OF_ROUND = RoundEnd(0, 2.5, 1.25, 10.0, -1.0, 1500, 48.5, "under-voltage now")
WARM = '{"row": "warm", "network": 0}\n'


def read(*lines: str) -> list[Sample]:
    return list(samples(lines, word="ssh://board", model_id="abc"))


def line(**change) -> str:
    return json.dumps({**START, **change}) + "\n"


def test_samples_are_read_as_they_were_written():
    assert read(line(), *map(row_of, SAMPLES), END) == SAMPLES


def test_the_first_row_says_which_network_runs(artifact):
    start = start_row(artifact, 3)
    assert json.loads(start)["model_id"] == artifact.manifest.library.model_id
    lines = (start, row_of(Sample(3, run_ms=1.0)), END)
    assert list(samples(lines, word="", model_id=artifact.manifest.library.model_id)) == [Sample(3, run_ms=1.0)]


def test_what_is_no_row_is_passed_over():
    """A greeting, an object of somebody else, and a line that was cut off."""
    noise = ("Welcome!\n", '{"uptime": 3}\n', "\n", row_of(SAMPLES[0])[:9])
    assert read(*noise, line(), *noise, row_of(SAMPLES[0]), *noise, END, "and more\n") == SAMPLES[:1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "the run stopped before its end and did not say why"),
        ((line(), row_of(SAMPLES[0])), "the run stopped before its end and did not say why"),
        ((line(kind="other"), END), "expected b2nn-profile in format version 1, but the program there prints 'other'"),
        ((line(format_version=2), END), "in version 2; compile the network again with this version"),
        ((line(model_id="xyz"), END), r"another network runs there .* \(its id is 'xyz', not 'abc'\)"),
    ],
)
def test_rows_that_are_not_those_asked_for_are_refused(lines, message):
    with pytest.raises(DeviceError, match=f"^ssh://board: .*{message}"):
        read(*lines)


def test_samples_that_came_before_the_run_stopped_are_kept():
    came = []
    with pytest.raises(DeviceError):
        came.extend(each for each in samples((line(), *map(row_of, SAMPLES)), word="", model_id="abc"))
    stream = samples((line(), *map(row_of, SAMPLES)), word="", model_id="abc")
    assert [next(stream) for _ in SAMPLES] == SAMPLES


def test_lines_are_read_to_their_end():
    """A program may fail after its last row, and a login is closed where somebody stops reading."""

    def failing():
        yield from (line(), row_of(SAMPLES[0]), END)
        raise DeviceError("ended with status 3")

    rows = samples(failing(), word="", model_id="abc")
    assert next(rows) == SAMPLES[0]
    with pytest.raises(DeviceError, match="ended with status 3"):
        next(rows)


def burst_line(row: dict | Burst, **change) -> str:
    if isinstance(row, Burst):
        row = {"row": "burst", **vars(row)}
    return json.dumps({**row, **change}) + "\n"


def round_line(end: RoundEnd) -> str:
    row = {"row": "round", **vars(end)}
    row["conditions"] = {name: row.pop(name) for name in ("mhz", "temperature_c", "throttled")}
    return json.dumps(row) + "\n"


def read_bursts(*lines: str) -> list[Burst | RoundEnd]:
    return list(bursts((each for each in lines), word="ssh://board", reference="r", networks=["a", "b"]))


def test_bursts_are_read_as_they_were_printed():
    rows = read_bursts(burst_line(BURSTS), WARM, burst_line(WHOLE), burst_line(PROFILED), round_line(END_OF_ROUND), END)
    assert rows == [WHOLE, PROFILED, END_OF_ROUND]


def test_what_is_no_burst_is_passed_over():
    noise = ("Welcome!\n", '{"uptime": 3}\n', "\n", burst_line(WHOLE)[:9])
    assert read_bursts(*noise, burst_line(BURSTS), *noise, burst_line(WHOLE), *noise, END, *noise) == [WHOLE]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "the run stopped before its end and did not say why"),
        ((burst_line(BURSTS), burst_line(WHOLE)), "the run stopped before its end and did not say why"),
        ((burst_line(BURSTS, kind="other"), END), "expected b2nn-bursts in format version 1, .* prints 'other'"),
        ((burst_line(BURSTS, format_version=2), END), "in version 2; compile the network again with this version"),
        (
            (burst_line(BURSTS, reference="x"), END),
            "other networks run there .* expected the ids r, a, b, but got x, a, b",
        ),
        ((burst_line(BURSTS, networks=["b", "a"]), END), "expected the ids r, a, b, but got r, b, a"),
    ],
)
def test_bursts_that_are_not_those_asked_for_are_refused(lines, message):
    with pytest.raises(DeviceError, match=f"^ssh://board: .*{message}"):
        read_bursts(*lines)


def test_lines_of_bursts_are_read_to_their_end_or_closed():
    """So that a program that fails after its last row is noticed, and one that is not waited for ends."""
    seen = []

    def lines() -> Generator[str]:
        try:
            yield from (burst_line(BURSTS), burst_line(WHOLE), END)
            seen.append("read to the end")
        finally:
            seen.append("closed")

    rows = bursts(lines(), word="", reference="r", networks=["a", "b"])
    assert next(rows) == WHOLE
    rows.close()
    assert seen == ["closed"]
    assert list(bursts(lines(), word="", reference="r", networks=["a", "b"])) == [WHOLE]
    assert seen == ["closed", "read to the end", "closed"]
