"""``b2nn COMMAND``: all commands under one name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from b2nn_tvm.cli.process.streams import streams
from b2nn_tvm.version import __version__
from b2nn_tvm.words.choices import did_you_mean

# The order of the help: from a network to a library, then what serves it.
COMMANDS = {
    "search": "a PyTorch network and a budget become a library that keeps the budget",
    "compile": "an ONNX file becomes a library",
    "profile": "the times of a library, on this machine or a board",
    "device": "a board serves other machines",
    "study": "the methods that choose layers are compared",
    "env": "the machine, what is installed, and the settings",
}


class Commands(click.Group):
    """The commands, each of which is imported when it is asked for."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """As click does it, but that a command which a user calls starts as its own program does, in which it may work
        in a process of its own.
        """
        words = sys.argv[1:]
        if args is not None or not words or words[0] not in COMMANDS:
            with streams():
                return super().main(args, *more, **options)
        command = import_module(f"b2nn_tvm.cli.{words[0]}").main
        sys.argv = [sys.argv[0], *words[1:]]
        return command.main(*more, **{"prog_name": f"b2nn {words[0]}", **options})

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, but that nothing is cut off."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"b2nn_tvm.cli.{name}").main
        return command

    def resolve_command(
        self, context: click.Context, args: Sequence[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with the names that there are in the error for another one."""
        words = list(args)
        if words and words[0] not in COMMANDS:
            context.fail(
                f"no command {words[0]!r}{did_you_mean(words[0], COMMANDS)}; the commands are {', '.join(COMMANDS)}"
            )
        return super().resolve_command(context, words)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="b2nn-tvm")
def main() -> None:
    """Networks with binary layers that keep a budget on a device.

    Each command is a program of its own as well: b2nn search is b2nn-search.
    """


if __name__ == "__main__":
    main()
