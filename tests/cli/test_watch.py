"""b2nn-profile --watch: what each line says, and what does not go with it."""

from __future__ import annotations

import json
import re

import pytest

from b2nn_tvm import compile_model
from b2nn_tvm.cli.watch import line_of, summary
from b2nn_tvm.deploy.devices.system_facts import Conditions
from b2nn_tvm.deploy.latency.watch import WatchRow
from tests.support.cli.commands import Run


def row(ms: float, throttled: str = "no") -> WatchRow:
    return WatchRow(65.2, ms, ms * 1.1, 1000, Conditions(1500, 61.2, throttled))


def test_a_line_says_what_the_device_tells():
    assert line_of(row(4)) == (
        "1:05  250.0 frames per second  median 4.0000 ms, p90 4.4000  1500 MHz  61.2 °C  throttled: no"
    )
    silent = WatchRow(10, 4, 5, 9, Conditions())
    assert line_of(silent) == "0:10  250.0 frames per second  median 4.0000 ms, p90 5.0000"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([row(4), row(5)], "at the end 25.0% slower than at the beginning; never slowed down"),
        (
            [row(4), row(6, "throttled now"), row(5, "throttled since the start")],
            "at the end 25.0% slower than at the beginning; slowed down in 1 of 3 rows: mend its supply or cooling",
        ),
        (
            [row(4, ""), row(2, "")],
            "at the end 50.0% faster than at the beginning; the device does not tell whether it was slowed down",
        ),
    ],
)
def test_the_end_says_how_much_slower_it_became(rows, text):
    assert summary(rows) == text


@pytest.mark.sweep
def test_the_command_prints_a_line_for_each_row(run: Run, small_onnx, tmp_path):
    compile_model(small_onnx, output=tmp_path / "net", verify=False).close()
    done = run("profile", tmp_path / "net", "--watch", "0.2")
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert lines and all(re.match(r"0:\d\d  \S+ frames per second  median ", line) for line in lines)
    assert last.startswith("at the end ")
    document = json.loads(run("profile", tmp_path / "net", "--watch", "0.01", "--json").stdout)
    assert (document["kind"], document["format_version"]) == ("b2nn-watch", 1)
    rows = document["rows"]
    assert [set(row) for row in rows] == [{*WatchRow.__dataclass_fields__, "frames_per_second"}]


@pytest.mark.parametrize("words", [("--runs", "5"), ("--costs", "x"), ("--resume",), ("--precision", "1%")])
def test_what_does_not_go_with_it(run: Run, tmp_path, words):
    done = run("profile", tmp_path, "--watch", "1", *words)
    assert done.returncode == 2
    assert f"{words[0]} does not go with --watch, which runs without a pause" in done.stderr
