"""The command class: every failure is one ``error:`` line and a status, never a traceback unless asked for; and an
option that several commands take.
"""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import click

from b2nn_tvm.cli.options.config import config_option

SAYS = "b2nn.says"  # in the meta data of a command's context: how much is said


class Command(click.Command):
    """A click command with the exit statuses, and the options on what is said, of all commands here.

    0 done; 1 refused or failed, with one ``error:`` line on stderr; 2 wrong usage; 130 interrupted. After an
    interruption, and where a device was lost, ``resume`` says how to go on. With ``--json`` an error is on stdout as
    JSON, too. ``--debug`` adds the traceback, and ``--verbose`` what an error comes from.
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

    def invoke(self, context: click.Context) -> Any:
        debug, quiet, verbose = (context.params.pop(name) for name in ("debug", "quiet", "verbose"))
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose contradict each other", context)
        context.meta[SAYS] = "little" if quiet else "all" if verbose else "some"
        as_json = bool(context.params.get("as_json"))
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo(f"interrupted: {self.resume}", err=True)
            if as_json:
                _print_json(f"interrupted: {self.resume}", "interrupted", 130)
            context.exit(130)
        except click.ClickException as error:
            if as_json:
                _print_json(error.format_message(), "usage", error.exit_code)
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
            if as_json:
                _print_json(text, type(error).__name__, 1)
            context.exit(1)


def says(amount: str) -> bool:
    """Whether the command that runs now says "little", "some" or "all" of what it could; outside of commands "some"."""
    context = click.get_current_context(silent=True)
    return amount == ("some" if context is None else context.meta.get(SAYS, "some"))


def _print_json(text: str, kind: str, status: int) -> None:
    """An error on stdout, where a program looks for the result."""
    click.echo(json.dumps({"error": {"kind": kind, "message": text, "status": status}}, indent=2))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield cause
        yield from _causes(cause)


def shapes(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The callback of the option --input-shape: the shapes in ``texts`` by the names of the inputs.

    A shape is spelled NAME=1x3x32x32, as by trtexec (NAME:1x3x32x32, several with commas between them), as by onnxsim
    (NAME:1,3,32,32), with brackets around its sizes, or without a name, which is "" in the result. A name may have ":"
    and "=" in it: the last one ends it.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in (shape for text in texts for shape in _shapes(text)):
        if found.setdefault(name, sizes) != sizes:
            of = f"of {name}" if name else "without a name"
            raise click.BadParameter(f"expected one shape for each input, but two came {of}: give it once")
    return found


_SIZES = r"[1-9][0-9]{0,9}"
_SHAPE = re.compile(rf"(?:(.+)[=:])?\s*(?:({_SIZES}(?:\s*[xX,]\s*{_SIZES})*)|\[(.*)\]|\((.*)\))\s*", re.DOTALL)
_SEVERAL = re.compile(rf".+[=:]{_SIZES}(?:x{_SIZES})*", re.DOTALL)


def _shapes(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The shapes in one word: one, or several as trtexec takes them, such as a:1x3x32x32,b:1x10."""
    parts = text.split(",")
    if len(parts) > 1 and all(map(_SEVERAL.fullmatch, parts)):
        return [_shape(part) for part in parts]
    return [_shape(text)]


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    match = _SHAPE.fullmatch(text)
    sizes = next(filter(None, match.groups()[1:]), "") if match else ""
    if match is None or not re.fullmatch(rf"\s*{_SIZES}(\s*[xX,]\s*{_SIZES})*\s*", sizes):
        raise click.BadParameter(
            f"expected NAME=1x3x32x32, or 1x3x32x32 where the network has one input, but got {text!r}; "
            "write sizes of 1 or more with x or commas between them"
        )
    return match.group(1) or "", tuple(map(int, re.findall(r"[0-9]+", sizes)))


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
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if place_of(error):
        return f"your code fails with {told(error)}"
    return f"unexpected {type(error).__name__}: {text[:300]} (a fault of this program; --debug shows where)"


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """One number or several, with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(word) for word in str(value).split(","))
        except ValueError:
            text = f"expected numbers with commas between, such as 0.485,0.456,0.406, but got {value!r}"
            raise click.BadParameter(text, context, parameter) from None


class Fit(click.ParamType):  # type: ignore[type-arg]
    """How a picture gets the size of an input: a word, or the pixels of its shorter side."""

    name = "resize"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str | int:
        from b2nn_tvm.errors import InputError
        from b2nn_tvm.preprocess.fit_to_input import as_way

        try:
            return as_way(value)
        except InputError as error:
            raise click.BadParameter(str(error), context, parameter) from None


input_option = click.option(
    "--input",
    "input_format",
    type=click.Choice(["float32-nchw", "uint8-nhwc"]),
    default="float32-nchw",
    show_default=True,
    help="What the library takes: normalized floats, or the bytes of a picture, which it then normalizes itself.",
)


def share(context: click.Context, param: click.Parameter, value: str) -> float:
    """The callback of an option that is a share of something, in percent or as a fraction."""
    text = value.strip()
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise click.BadParameter(f"expected a share such as 2% or 0.02, but got {value!r}", context, param) from None
