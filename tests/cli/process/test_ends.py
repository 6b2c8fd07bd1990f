"""SIGTERM and SIGHUP end a command as Ctrl-C does, with a status of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.process.ends import Ended, ended_by_signals
from tests.support.paths import ROOT

WORKS = """
import sys, tempfile, time, click
from b2nn_tvm.cli.command import Command

@click.command(cls=Command, resume="go on")
@click.option("--json", "as_json", is_flag=True)
def main(as_json):
    with tempfile.NamedTemporaryFile(dir=".", prefix="begun"):
        print("works", file=sys.stderr, flush=True)
        time.sleep(60)

main()
"""


@pytest.fixture(autouse=True)
def signals_are_not_ignored() -> Iterator[None]:
    """Tests that run under nohup would hand its ignored SIGHUP on."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def begun(folder: Path, *before: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*before, sys.executable, "-c", WORKS, "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, cwd=folder, env=environment, text=True, **pipes)
    while "works" not in process.stderr.readline():  # nohup says something first
        assert process.poll() is None
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_was_begun_is_tidied_up(tmp_path: Path, number: signal.Signals) -> None:
    process = begun(tmp_path)
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, "interrupted: go on\n")
    assert json.loads(printed)["error"] == {"kind": "interrupted", "message": said.strip(), "status": 128 + number}
    assert os.listdir(tmp_path) == []


def test_nohup_stays_what_it_is(tmp_path: Path) -> None:
    process = begun(tmp_path, "nohup")
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


def test_afterwards_the_signals_are_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    @click.command(cls=Command)
    def ended() -> None:
        signal.raise_signal(signal.SIGTERM)

    assert CliRunner().invoke(ended).exit_code == 143
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_a_second_signal_ends_at_once() -> None:
    with ended_by_signals():
        with pytest.raises(Ended) as ended:
            signal.raise_signal(signal.SIGHUP)
        assert ended.value.status == 129
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
