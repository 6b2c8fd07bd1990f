"""The option --config: a TOML file with the options that one would repeat. The command line wins.

budget = "12ms"            # an option of every command that reads the file

[search]                   # options of b2nn-search alone
model = "cresnet20"
also = ["arm", "rpi4"]     # an option that may be given again
float-epochs = 20
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from b2nn_tvm.words.choices import did_you_mean

COMMANDS = ("search", "compile", "profile", "device", "study", "env")


def config_option(command: click.Command) -> click.Option:
    """The option for a command; what the file says takes the place of the command's defaults."""

    def read(context: click.Context, parameter: click.Parameter, path: str | None) -> None:
        if path is not None:
            context.default_map = _defaults(command, Path(path), context, parameter)

    return click.Option(
        ["--config"],
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="Take options from this file, where the command line does not give them.",
    )


def _defaults(command: click.Command, path: Path, context: click.Context, parameter: click.Parameter) -> dict[str, Any]:
    def refuse(text: str) -> click.BadParameter:
        return click.BadParameter(f"{path}: {text}", context, parameter)

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise refuse(error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refuse(f"expected TOML, but {error}") from None
    tables = {name: body for name, body in found.items() if isinstance(body, Mapping)}
    if strange := sorted(set(tables) - set(COMMANDS)):
        raise refuse(f"there is no command {strange[0]}{did_you_mean(strange[0], COMMANDS)}; tables have their names")
    own = command.callback.__module__.rpartition(".")[2] if command.callback else ""
    given = {name: value for name, value in found.items() if name not in tables} | dict(tables.get(own, {}))
    options = {_key(word): each for each in command.params for word in (*each.opts, each.name or "")}
    values: dict[str, Any] = {}
    for name, value in given.items():
        option = options.get(_key(name))
        if option is None or option.name == "config":
            raise refuse(f"{own} has no option {name}{did_you_mean(_key(name), options)}")
        several = isinstance(option, click.Option) and option.multiple
        if isinstance(value, list) and not several:
            raise refuse(f"{name} takes one value, not a list")
        words = [_word(each) for each in value] if isinstance(value, list) else _word(value)
        if any("\0" in str(word) for word in (words if isinstance(words, list) else [words])):
            raise refuse(f"{name} has a character of the code 0, which no name of a file may have")
        values[str(option.name)] = [words] if several and not isinstance(words, list) else words
    return values


def _word(value: Any) -> Any:
    """A value as the command line has it: text, but true and false for flags."""
    return value if isinstance(value, bool) else str(value)


def _key(word: str) -> str:
    return word.lstrip("-").replace("_", "-").lower()
