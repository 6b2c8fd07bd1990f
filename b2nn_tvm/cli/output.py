"""The output of commands: tables and JSON on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    from b2nn_tvm.progress import Progress


def print_json(body: Any) -> None:
    """Print ``body`` on stdout as JSON, with nothing else."""
    print(json.dumps(body, indent=2))


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
    _stdout().print(table)


def print_line(text: str) -> None:
    """Print one line of a result on stdout, as it is."""
    print(text)


def print_note(text: str) -> None:
    """Print one line on stderr that stays, such as one about a step that was left out, and why."""
    print(f"note: {text}", file=sys.stderr)


@contextmanager
def phases() -> Iterator[Progress]:
    """A Progress for work of a few short phases: a spinner with the phase's name and its count, if any, on stderr; a
    line per phase where stderr is no terminal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _phase_lines(console)
        return
    with console.status("start") as status:

        def show(phase: str, done: int, total: int, detail: str = "") -> None:
            count = f" {done}/{total}" if total > 1 else ""
            status.update(_escaped(f"{phase}{count}{f'  {detail}' if detail else ''}"))

        yield show


@contextmanager
def progress() -> Iterator[Progress]:
    """A Progress drawn as bars on stderr, one per phase, with the time left and the last detail; a line per phase where
    stderr is no terminal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _phase_lines(console)
        return
    from rich import progress as rich
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *times,
        TextColumn("{task.fields[detail]}"),
    )
    with rich.Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Bars:
    """A bar of ``bars``, rich's Progress, for each phase; a phase that begins again after its end gets a new one."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._ended: set[str] = set()

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        if phase not in self._tasks or (phase in self._ended and done < total):
            self._tasks[phase] = self._bars.add_task(_escaped(phase), total=total, detail="")
            self._ended.discard(phase)
        if done >= total:
            self._ended.add(phase)
        words: dict[str, Any] = {"detail": _escaped(detail)} if detail else {}
        self._bars.update(self._tasks[phase], completed=done, total=total, **words)


def _phase_lines(console: Console) -> Progress:
    begun: set[str] = set()

    def report(phase: str, done: int, total: int, detail: str = "") -> None:
        if phase not in begun:
            begun.add(phase)
            console.print(f"{_escaped(phase)} ...", highlight=False)

    return report


def _stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def _is_numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell in ("-", "–")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
