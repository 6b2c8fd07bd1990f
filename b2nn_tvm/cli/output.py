"""What commands print: tables and JSON on stdout, progress and phases on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

ProgressCallback = Callable[[str, int, int], None]


def print_json(body: Any) -> None:
    """Print ``body`` on stdout as JSON, with nothing else."""
    print(json.dumps(body, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; columns of numbers stand to the right. Piped, it is as wide as it needs to be."""
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
    """Print one line on stderr that stays: what was left out, and why."""
    print(f"note: {text}", file=sys.stderr)


@contextmanager
def phases() -> Iterator[ProgressCallback]:
    """A callback ``(phase, done, total)`` for work of a few phases: a spinner with the phase's name on stderr, and the
    count where there is one; a line per phase where stderr is no terminal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _phase_lines(console)
        return
    with console.status("start") as status:
        yield lambda phase, done, total: status.update(_escaped(phase if total < 2 else f"{phase} {done}/{total}"))


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A callback ``(phase, done, total)`` drawn as bars on stderr, one per phase, with time left and the words given to
    its method ``detail(phase, words)``; one line per phase where stderr is no terminal.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _phase_lines(console)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *times,
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Bars:
    """A task of ``bars``, rich's Progress, for each phase."""

    def __init__(self, bars) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(_escaped(phase), total=total, detail="")
        self._bars.update(self._tasks[phase], completed=done, total=total)

    def detail(self, phase: str, words: str) -> None:
        if phase in self._tasks:
            self._bars.update(self._tasks[phase], detail=_escaped(words))


def _phase_lines(console) -> ProgressCallback:
    begun: set[str] = set()

    def report(phase: str, done: int, total: int) -> None:
        if phase not in begun:
            begun.add(phase)
            console.print(f"{_escaped(phase)} ...", highlight=False)

    return report


def _stdout():
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def _is_numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell in ("-", "–")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
