"""Options from a file: the command line wins, and what the command does not know is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from b2nn_tvm.cli import main, search
from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.options.config import COMMANDS


@click.command(cls=Command)
@click.option("--model", required=True)
@click.option("--also", multiple=True)
@click.option("--float-epochs", type=int, default=3)
@click.option("--fresh/--resume", default=False)
@click.option("-o", "--output")
def echo(**given: Any) -> None:
    """Print what it was given."""
    click.echo(json.dumps(given))


def given(folder: Path, text: str, *words: str) -> dict[str, Any]:
    (folder / "b2nn.toml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(echo, ["--config", str(folder / "b2nn.toml"), *words])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_file_gives_what_the_command_line_does_not(tmp_path: Path) -> None:
    text = 'model = "a"\nalso = ["x86", "arm"]\nfloat-epochs = 20\nfresh = true\noutput = "out"\n'
    found = {"model": "a", "also": ["x86", "arm"], "float_epochs": 20, "fresh": True, "output": "out"}
    assert given(tmp_path, text) == given(tmp_path, f"\ufeff{text}") == found  # with the mark of some editors
    words = ("--model", "b", "--also", "rpi4", "--resume", "-o", "here")
    other = {"model": "b", "also": ["rpi4"], "fresh": False, "output": "here"}
    assert given(tmp_path, text, *words) == {**found, **other}


def test_an_option_that_may_be_given_again_may_be_given_once(tmp_path: Path) -> None:
    assert given(tmp_path, 'model = "a"\nalso = "arm"\n')["also"] == ["arm"]


def test_the_tables_are_those_of_all_commands() -> None:
    assert tuple(main.COMMANDS) == COMMANDS


def test_tables_are_of_one_command(tmp_path: Path) -> None:
    text = 'model = "a"\n[compile]\nmodel = "c"\nbundle = true\n[test_config]\nfloat_epochs = 4\n'
    with pytest.raises(AssertionError, match="there is no command test_config"):
        given(tmp_path, text)
    assert given(tmp_path, text.partition("[test_config]")[0])["model"] == "a"
    (tmp_path / "b2nn.toml").write_text('budget = "12ms"\n[search]\nmodel = "resnet18"\nthreads = 4\n')
    context = search.main.make_context("b2nn-search", ["--config", str(tmp_path / "b2nn.toml"), "-o", "out"])
    assert [context.params[name] for name in ("model", "threads", "budgets")] == ["resnet18", 4, ("12ms",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ", "expected TOML, but"),
        ('modell = "a"', "test_config has no option modell (did you mean model?)"),
        ('model = ["a", "b"]', "model takes one value, not a list"),
        ("[serach]\nmodel = 3", "there is no command serach (did you mean search?); tables have their names"),
        ('float-epochs = "many"', "'many' is not a valid integer"),
        ('config = "b.toml"', "test_config has no option config"),
        ('output = "a\\u0000b"', "output has a character of the code 0"),
    ],
)
def test_what_the_command_does_not_know_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b2nn.toml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(echo, ["--config", str(tmp_path / "b2nn.toml"), "--model", "a"])
    assert done.exit_code == 2 and message in done.stderr, done.stderr
    assert "No such file" in CliRunner().invoke(echo, ["--config", str(tmp_path / "absent.toml")]).stderr
