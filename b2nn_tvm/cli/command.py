"""The command class: every failure is one ``error:`` line and a status, never a traceback unless asked for; and an
option that several commands take.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from b2nn_tvm.cli.options.config import config_option
from b2nn_tvm.cli.process.ends import Ended, ended_by_signals
from b2nn_tvm.cli.process.streams import OutputLost, flush_output, printing, refused_by_system, streams

_GIVEN = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)
# In the meta data of a command's context: how much is said, and whether its JSON document is printed.
SAYS, DOCUMENT = "b2nn.says", "b2nn.document"


class Command(click.Command):
    """A click command with the exit statuses, and the options on what is said, of all commands here.

    0 done; 1 refused or failed, with one ``error:`` line on stderr; 2 wrong usage; 130 interrupted, 143 and 129 ended
    by SIGTERM and SIGHUP. After these, and where a device was lost, ``resume`` says how to go on. With ``--json`` an
    error is on stdout as JSON, too, unless the result is there. ``--debug`` adds the traceback, and ``--verbose`` what
    an error comes from.
    """

    def __init__(self, *args: Any, resume: str = "run the same command again", **kwargs: Any) -> None:
        kwargs["context_settings"] = {"help_option_names": ["-h", "--help"], **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.resume = resume
        self.params += [
            config_option(self),
            click.Option(["-q", "--quiet"], is_flag=True, help="Leave out progress and notes."),
            click.Option(["-v", "--verbose"], is_flag=True, help="Say every step, and what an error comes from."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
        ]

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        with streams():
            return super().main(args, *more, **options)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        given = list(args)  # which click empties
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            if "--json" in given and not extra.get("resilient_parsing"):
                _print_json(error.format_message(), "usage", error.exit_code)
            raise

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """As click does it, but that an empty word is wrong: that of a folder would be the one the user is in."""
        left = super().parse_args(context, args)
        for parameter in self.params if not context.resilient_parsing else ():
            value = context.params.get(parameter.name or "")
            if context.get_parameter_source(parameter.name or "") in _GIVEN and "" in (
                value if isinstance(value, tuple) else (value,)
            ):
                raise click.BadParameter("an empty word; is a variable of the shell not set?", context, parameter)
        return left

    def invoke(self, context: click.Context) -> Any:
        debug, quiet, verbose = (context.params.pop(name) for name in ("debug", "quiet", "verbose"))
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose contradict each other", context)
        context.meta[SAYS] = "little" if quiet else "all" if verbose else "some"
        as_json = bool(context.params.get("as_json"))

        def print_error(text: str, kind: str, status: int) -> None:
            if as_json and DOCUMENT not in context.meta:
                _print_json(text, kind, status)

        try:
            with ended_by_signals():
                result = super().invoke(context)
            flush_output()
            return result
        except KeyboardInterrupt as interruption:
            status = interruption.status if isinstance(interruption, Ended) else 130
            click.echo(f"interrupted: {self.resume}", err=True)
            print_error(f"interrupted: {self.resume}", "interrupted", status)
            context.exit(status)
        except click.ClickException as error:
            print_error(error.format_message(), "usage", error.exit_code)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # the border of the program: every failure becomes one line
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click ends quietly when the reader of stdout is gone
            if debug:
                import traceback

                traceback.print_exc(file=sys.stderr)
            text = _one_line(error, self.resume)
            click.echo(f"error: {text}", err=True)
            for cause in _causes(error) if verbose else ():
                click.echo(f"  because of {type(cause).__name__}: {' '.join(str(cause).split())}", err=True)
            print_error(text, type(error).__name__, 1)
            context.exit(1)


def says(amount: str) -> bool:
    """Whether the command that runs now says "little", "some" or "all" of what it could; outside of commands "some"."""
    context = click.get_current_context(silent=True)
    return amount == ("some" if context is None else context.meta.get(SAYS, "some"))


def has_document() -> None:
    """The command that runs now has printed its JSON document, beside which there is to be none of an error."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[DOCUMENT] = True


def _print_json(text: str, kind: str, status: int) -> None:
    """An error on stdout, where a program looks for the result; where stdout is lost, stderr has it all the same."""
    with contextlib.suppress(OutputLost), printing():
        click.echo(json.dumps({"error": {"kind": kind, "message": text, "status": status}}, indent=2))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield cause
        yield from _causes(cause)


def _one_line(error: Exception, resume: str) -> str:
    from b2nn_tvm.errors import B2nnError, DeviceLost, ProgramFault
    from b2nn_tvm.provenance.user_code import place_of, told

    text = " ".join(str(error).split())
    if isinstance(error, DeviceLost):
        return f"{text}; {resume}"
    if isinstance(error, ProgramFault):
        return f"{text} (--debug shows where)"
    if isinstance(error, B2nnError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return refused_by_system(error)
    if place_of(error):
        return f"your code fails with {told(error)}"
    return f"unexpected {type(error).__name__}: {text[:300]} (a fault of this program; --debug shows where)"


input_option = click.option(
    "--input",
    "input_format",
    type=click.Choice(["float32-nchw", "uint8-nhwc"]),
    default="float32-nchw",
    show_default=True,
    help="What the library takes: normalized floats, or the bytes of a picture, which it then normalizes itself.",
)
