"""What all commands have in common: help, version, statuses, one line per failure, interruption."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from b2nn_tvm import __version__
from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.compile import main as compile_command
from b2nn_tvm.cli.draw_progress import progress
from b2nn_tvm.cli.output import print_note
from b2nn_tvm.compiler import FLOATS, INPUT_FORMATS
from b2nn_tvm.errors import BudgetError, DeviceLost, ProgramFault
from tests.support.cli.commands import Run
from tests.support.paths import ROOT
from tests.support.processor_time import seconds_of

COMMANDS = ("compile", "profile", "search")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_version(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: b2nn-{command}" in done.stdout and "--debug" in done.stdout
    assert run(command, "--version").stdout.strip().endswith(__version__)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_instant(command: str) -> None:
    """It takes less than 0.3 s of the processor above the start of the interpreter, best of five."""
    took = lambda *words: seconds_of([sys.executable, *words], cwd=ROOT)
    module = f"b2nn_tvm.cli.{command}"
    assert any(took("-m", module, "--help") - took("-c", "") < 0.3 for _ in range(5))


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (BudgetError("not below\n 3 ms"), 1, "error: not below 3 ms\n"),
        (DeviceLost("ssh://pi: gone"), 1, "error: ssh://pi: gone; run the same command again\n"),
        (ProgramFault("it failed"), 1, "error: it failed (--debug shows where)\n"),
        (FileNotFoundError(2, "No such file or directory", "x.onnx"), 1, "error: x.onnx: No such file or directory\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (KeyboardInterrupt(), 130, "interrupted: run the same command again\n"),
        (click.UsageError("no"), 2, "Error: no"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_statuses(failure: BaseException, status: int, text: str) -> None:
    @click.command(cls=Command)
    def failing() -> None:
        raise failure

    done = CliRunner().invoke(failing)
    assert done.exit_code == status
    assert done.stdout == "" and text in done.stderr
    assert "Traceback" not in done.stderr


def test_whose_fault_it_is() -> None:
    """Code in a user's file is the user's; what is raised where none is, is a fault of this program."""

    @click.command(cls=Command)
    @click.argument("text")
    def dividing(text: str) -> None:
        exec(compile(text, "<nobody's>" if "1" in text else "/home/me/nets.py", "exec"))

    ours = CliRunner().invoke(dividing, ["1 / 0"]).stderr
    line = dividing.callback.__code__.co_firstlineno + 3
    theirs = f"error: your code fails with ZeroDivisionError: division by zero (test_command.py:{line})\n"
    assert ours == theirs
    assert CliRunner().invoke(dividing, ["2 / 0"]).stderr == theirs.replace(f"test_command.py:{line}", "nets.py:1")

    @click.command(cls=Command)
    def failing() -> None:
        raise ZeroDivisionError("division by zero")

    failing.callback.__code__ = failing.callback.__code__.replace(co_filename="<of this program>")
    said = CliRunner().invoke(failing).stderr
    assert said.startswith("error: unexpected ZeroDivisionError: division by zero (a fault of this program;")


@pytest.mark.parametrize(
    ("failure", "kind", "status"),
    [
        (BudgetError("not below 3 ms"), "BudgetError", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (click.UsageError("no"), "usage", 2),
        (None, "usage", 2),
    ],
)
def test_errors_are_json_too(failure: BaseException | None, kind: str, status: int) -> None:
    @click.command(cls=Command)
    @click.option("--json", "as_json", is_flag=True)
    def failing(as_json: bool) -> None:
        raise failure

    done = CliRunner().invoke(failing, ["--json", *(["--nonsense"] if failure is None else [])])
    found = json.loads(done.stdout)["error"]
    assert (done.exit_code, found["kind"], found["status"]) == (status, kind, status)
    assert found["message"] in done.stderr and found["message"]
    assert CliRunner().invoke(failing, ["--nonsense"] if failure is None else []).stdout == ""


def test_an_empty_word_is_wrong_usage() -> None:
    """As a variable of the shell that is not set makes it; the folder of this name would be the one the user is in."""

    @click.command(cls=Command)
    @click.argument("folder", required=False)
    @click.option("-o", "--output")
    @click.option("--also", multiple=True)
    @click.option("--key", default="")
    def idle(**given: object) -> None: ...

    for words in (["-o", ""], ["--also", "arm", "--also", ""], ["--key", ""], [""]):
        done = CliRunner().invoke(idle, words)
        assert done.exit_code == 2 and "an empty word; is a variable of the shell not set?" in done.stderr
    assert CliRunner().invoke(idle, ["here", "-o", "out"]).exit_code == 0


def test_how_much_is_said() -> None:
    @click.command(cls=Command)
    def talking() -> None:
        print_note("a remark")
        with progress() as report:
            report("train", 1, 3, "loss 0.5")
            report("train", 2, 3, "loss 0.4")
        try:
            raise ZeroDivisionError("nothing to share")
        except ZeroDivisionError as error:
            raise BudgetError("not below 3 ms") from error

    said = {words: CliRunner().invoke(talking, words.split()).stderr.splitlines() for words in ("", "-q", "-v")}
    error = "error: not below 3 ms"
    assert said["-q"] == [error]
    assert said[""] == ["note: a remark", "train ...", error]
    *first, last, cause = said["-v"]
    assert first == ["note: a remark", "train ...", "0:00 train 2/3  loss 0.4 ..."] and last == error
    assert cause == "  because of ZeroDivisionError: nothing to share"


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    code = "from b2nn_tvm.cli import output\nimport click\nfrom b2nn_tvm.cli.command import Command\n"
    code += "@click.command(cls=Command)\ndef main():\n    for _ in range(100000): output.print_line('x' * 100)\nmain()"
    done = subprocess.run(
        f'{sys.executable} -c "$CODE" | head -1',
        shell=True,
        cwd=ROOT,
        env={"CODE": code, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr and "error" not in done.stderr


def test_the_choices_of_an_input_are_those_of_the_compiler() -> None:
    option = next(each for each in compile_command.params if each.name == "input_format")
    assert tuple(option.type.choices) == INPUT_FORMATS and option.default == FLOATS
