"""All commands under one name."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from b2nn_tvm.cli.main import COMMANDS, main
from b2nn_tvm.version import __version__
from tests.support.paths import ROOT


@pytest.mark.parametrize("words", [["-h"], ["--help"], []])
def test_the_commands_are_listed(words: list[str]) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == (0 if words else 2)
    assert all(f"\n  {name}" in done.output for name in COMMANDS)
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    said = " ".join(done.output.split())
    for name, what in COMMANDS.items():
        assert what in said and f"| [b2nn-{name}](#b2nn-{name}) | {what} |" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_program_is_a_command_and_takes_both_words_for_help(name: str) -> None:
    assert f'b2nn-{name} = "b2nn_tvm.cli.{name}:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    short, long = (CliRunner().invoke(main, [name, word]) for word in ("-h", "--help"))
    assert short.exit_code == 0 and short.output == long.output and "-h, --help" in short.output


def test_an_unknown_command_is_answered_with_those_that_there_are() -> None:
    done = CliRunner().invoke(main, ["compil"])
    assert done.exit_code == 2
    assert f"no command 'compil' (did you mean compile?); the commands are {', '.join(COMMANDS)}" in done.output


def test_it_runs_as_a_module() -> None:
    code = "import runpy, sys; sys.argv[1:] = ['--version']; runpy.run_module('b2nn_tvm.cli.main', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1]) == (0, __version__), done.stderr


def test_a_command_that_works_under_limits_does_so_under_this_name_as_well(tmp_path) -> None:
    words = ["b2nn", "compile", str(tmp_path / "absent.onnx"), "--time-limit", "0.001s"]
    code = f"import sys; sys.argv = {words!r}; from b2nn_tvm.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: this takes longer than 0.001 s; give it more time with")
