"""The output of commands: tables and JSON on stdout, notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from b2nn_tvm.cli.command import has_document, says
from b2nn_tvm.cli.process.streams import printing
from b2nn_tvm.version import __version__

if TYPE_CHECKING:
    from rich.console import Console


def print_document(kind: str, version: int, body: Mapping[str, Any], *, on_one_line: bool = False) -> None:
    """Print ``body`` on stdout as JSON behind its ``kind``, its format's ``version`` and this program's, as files have
    them; what is no finite number becomes null. It is the only document of a command: an error after it is on stderr
    alone. One for a reader who does not wait for the end of the command is ``on_one_line``.
    """
    from b2nn_tvm.storage.document import as_json

    document = {"kind": kind, "format_version": version, "tool_version": __version__, **body}
    with printing():
        print(json.dumps(as_json(document), indent=None if on_one_line else 2), flush=True)
    has_document()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; columns of numbers are aligned right. In a pipe the table is up to 200 characters
    wide.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = all(_is_numeric(row[index]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    with printing():
        _stdout().print(table)


def print_line(text: str) -> None:
    """Print one line of a result on stdout: as it is, but for a terminal, where lines end between words."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    with printing():
        console.print(text, soft_wrap=not console.is_terminal)


def print_note(text: str) -> None:
    """Print one line on stderr that stays, such as one about a step that was left out, and why; not with --quiet."""
    if not says("little"):
        print(f"note: {text}", file=sys.stderr)


def print_warning(text: str) -> None:
    """Print one line on stderr about a result that is not what was asked for; with --quiet, too."""
    print(f"note: {text}", file=sys.stderr)


def _stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def _is_numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell in ("-", "–")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
