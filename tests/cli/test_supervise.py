"""A command in a process of its own: its limits, its crashes, its end, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.paths import ROOT

PROGRAM = """
import os, signal, sys, tempfile, time
from pathlib import Path
import click
from b2nn_tvm.cli.limits import limit_options
from b2nn_tvm.cli.supervise import SupervisedCommand

@click.command(cls=SupervisedCommand, output=lambda given: Path(given["output"]) if given.get("output") else None)
@click.argument("what")
@click.option("--output")
@limit_options
def main(what, output):
    folder = Path(output)
    folder.mkdir(exist_ok=True)
    (folder / ".build.1").mkdir()
    (Path(tempfile.mkdtemp()) / "file").write_text("temporary")
    print("begun", flush=True)
    if what == "eat":
        held = []
        while True:
            held.append(bytearray(8 << 20))
    if what == "sleep":
        time.sleep(60)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / ".build.1").rmdir()
    if what == "fail":
        from b2nn_tvm.errors import InputError
        folder.rmdir()
        raise InputError("this is wrong")
    (folder / "result").write_text(what)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


def start(place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(place / "program.py"), *words, "--output", str(place / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], place: Path) -> tuple[int, str]:
    """The status and the errors of a process that left nothing in the folder of temporary files."""
    _, errors = process.communicate(timeout=50)
    assert list((place / "temporary").iterdir()) == []
    return process.returncode, errors


def test_what_works_and_what_fails_by_itself(place):
    assert finish(start(place, "work"), place) == (0, "")
    assert (place / "out" / "result").read_text() == "work"
    (place / "out" / "result").unlink()
    assert finish(start(place, "fail"), place) == (1, "error: this is wrong\n")


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (
            ("eat", "--memory-limit", "120M"),
            1,
            "error: this needs more than 120 MiB of memory; give it more with --memory",
        ),
        (
            ("sleep", "--time-limit", "0.5s"),
            1,
            "error: this takes longer than 0.5 s; give it more time with --time-limit",
        ),
        (("crash",), 1, "error: the compiler ended with the signal SIGSEGV; this is a fault, please report it"),
        (("die",), 1, "error: the compiler was killed, most likely because the system ran out of memory; see --memory"),
    ],
)
def test_an_end_by_force_is_one_line_and_leaves_nothing(place, words, status, text):
    found, errors = finish(start(place, *words), place)
    assert found == status and errors.startswith(text) and len(errors.splitlines()) == 1
    assert not (place / "out").exists()


def test_what_was_in_the_folder_before_stays(place):
    (place / "out" / ".build.other").mkdir(parents=True)
    finish(start(place, "crash"), place)
    assert [entry.name for entry in (place / "out").iterdir()] == [".build.other"]


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_of_a_user(place, sent, status):
    """An interruption goes to the whole group, as a terminal sends it; the work itself says how to go on."""
    process = start(place, "sleep")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    found, errors = finish(process, place)
    assert found == status and "Traceback" not in errors
    assert ("interrupted: run the same command again" in errors) == (sent == signal.SIGINT)


def test_the_work_ends_with_its_watcher(place):
    process = start(place, "sleep")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()[0]
    process.kill()
    process.communicate(timeout=10)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{worker}").exists()


def test_a_call_with_arguments_works_in_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(PROGRAM, "program", "exec"), names)
    done = CliRunner().invoke(names["main"], ["work", "--output", str(tmp_path / "out")])
    assert (done.exit_code, done.output) == (0, "begun\n")
