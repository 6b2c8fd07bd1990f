"""Closed streams, a full disk behind one, an encoding without a letter: a command says one line, or what it has to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.output import print_document
from b2nn_tvm.cli.process.streams import OutputLost, refused_by_system
from b2nn_tvm.errors import BudgetError
from tests.support.paths import ROOT

FULL = "error: what is printed cannot be written: No space left on device\n"
PRINTS = """
import click
from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.output import print_line

@click.command(cls=Command)
def main():
    print_line({text})

main()
"""


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """What a line of the shell does; B2NN in it stands for ``b2nn``."""
    line = line.replace("B2NN", f'"{sys.executable}" -m b2nn_tvm')
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", line], cwd=folder, env=given, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("B2NN env >/dev/full", FULL),
        ("B2NN env --json >/dev/full", FULL),
        ("B2NN compile --list-targets >/dev/full", FULL),
        ("B2NN compile --help >/dev/full", "error: No space left on device\n"),
        ("B2NN --help >/dev/full", "error: No space left on device\n"),
        ("B2NN compile none.onnx >&-", "error: none.onnx: no such file; expected an ONNX model\n"),
        ("B2NN compile none.onnx <&- >&-", "error: none.onnx: no such file; expected an ONNX model\n"),
        ("B2NN compile none.onnx --json 2>&-", ""),
    ],
)
def test_what_cannot_be_printed_ends_in_one_line(tmp_path: Path, line: str, said: str) -> None:
    if "full" in line and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = shell(line, tmp_path)
    assert (done.returncode, done.stderr) == (1, said)
    assert os.listdir(tmp_path) == []


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    done = shell("B2NN env | true; B2NN env --json | head -c 9; B2NN compile --list-targets | head -1", tmp_path)
    assert done.stderr == "" and done.stdout.startswith('{\n  "kind')


def test_letters_that_an_encoding_lacks_and_names_that_are_no_text(tmp_path: Path) -> None:
    text = ascii("71.5 °C ± 1 in caf\udce9")
    done = shell(f'{sys.executable} -c "$CODE"', tmp_path, CODE=PRINTS.format(text=text), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "71.5 \\xb0C \\xb1 1 in caf\\udce9\n", "")
    done = shell(r"B2NN compile $'caf\xe9.onnx' --json", tmp_path)
    assert json.loads(done.stdout)["error"]["message"] == "caf\udce9.onnx: no such file; expected an ONNX model"
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_no_folder_for_temporary_files(tmp_path: Path) -> None:
    """The system's words name those that were tried; and what to do."""
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")
    assert refused_by_system(error).endswith("'/var/tmp']; let TMPDIR name a folder that can be written")
    assert refused_by_system(PermissionError(13, "Permission denied", "a.json")) == "a.json: Permission denied"
    assert refused_by_system(OutputLost(28, "lost")) == "lost"


def test_no_process_for_the_work(tmp_path: Path) -> None:
    """The watcher of a command that works in a process of its own may not be allowed to start it."""
    before = (
        "import os; os.fork = lambda: (_ for _ in ()).throw(BlockingIOError(11, 'Resource temporarily unavailable'))"
    )
    code = f"import sys; {before}\nsys.argv[0] = 'b2nn-compile'\nfrom b2nn_tvm.cli.compile import main\nmain()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", code, "net.onnx"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = "error: no process can be started for the work: Resource temporarily unavailable\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_an_error_behind_the_document_is_no_second_one() -> None:
    """A program reads stdout as one document."""

    @click.command(cls=Command)
    @click.option("--json", "as_json", is_flag=True)
    @click.option("--early", is_flag=True)
    def failing(as_json: bool, early: bool) -> None:
        if not early:
            print_document("b2nn-test", 1, {"failed": {"a": float("nan")}}, on_one_line=True)
        raise BudgetError("one of two failed")

    done = CliRunner().invoke(failing, ["--json"])
    assert (done.exit_code, done.stderr) == (1, "error: one of two failed\n")
    found = json.loads(done.stdout)
    assert (found["kind"], found["format_version"], found["failed"]) == ("b2nn-test", 1, {"a": None})
    assert list(found)[:3] == ["kind", "format_version", "tool_version"] and done.stdout.count("\n") == 1
    assert json.loads(CliRunner().invoke(failing, ["--json", "--early"]).stdout)["error"]["kind"] == "BudgetError"
