"""The progress of commands on stderr: bars or a spinner on a terminal, lines where there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from b2nn_tvm.cli.command import says

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    from b2nn_tvm.progress import Progress

# Told of (phase, done, total), it says how far the whole work is.
Whole = Callable[[str, int, int], str]

SILENCE_S = 15.0  # in a log a line comes at least this often, so that nobody takes long work for a dead one
TICK_S = 0.25
STEP_S = 3600.0  # a step, such as an epoch, may take as long, and the time left is still told by the one before


@contextmanager
def phases() -> Iterator[Progress]:
    """A Progress for work of a few short phases: a spinner on stderr with the phase's name and its count, if any; lines
    where stderr is no terminal.
    """
    from rich.console import Console

    from b2nn_tvm.progress import silent

    console = Console(stderr=True)
    if says("little"):
        yield silent
        return
    if says("all") or not console.is_terminal:
        with _lines(console) as progress:
            yield progress
        return
    with console.status("start") as status:

        def show(phase: str, done: int, total: int, detail: str = "") -> None:
            status.update(_escaped(_words(phase, done, total, detail)))

        yield show


@contextmanager
def progress(whole: Whole | None = None) -> Iterator[Progress]:
    """A Progress drawn as bars on stderr: the running phases with the time left and, below them, the last detail; a
    phase that is done becomes one line with its time and its last detail. Lines where stderr is no terminal, and one
    for each detail with --verbose; nothing with --quiet.

    ``whole`` is told of each call, and says in words how far all of the work is.
    """
    from rich.console import Console

    from b2nn_tvm.progress import silent

    console = Console(stderr=True)
    if says("little"):
        yield silent
        return
    if says("all") or not console.is_terminal:
        with _lines(console, whole) as report:
            yield report
        return
    with _bars(console) as drawn:
        bars = _Bars(drawn, whole)
        yield bars
        bars.end()


def _bars(console: Console) -> RichProgress:
    from rich import progress as rich
    from rich.table import Column
    from rich.text import Text

    class Bars(rich.Progress):
        """Bars with a line below them, so that however narrow the terminal is, count and time left are in it."""

        detail = whole = ""

        def get_renderables(self) -> Iterator[Any]:
            yield self.make_tasks_table(self.tasks)
            for line in filter(None, (self.detail, self.whole)):
                yield Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis")

    name = Column(ratio=1, no_wrap=True, overflow="ellipsis", min_width=16)
    return Bars(
        rich.TextColumn("{task.description}", table_column=name),
        rich.BarColumn(bar_width=16),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
        console=console,
        expand=True,
        speed_estimate_period=STEP_S,
    )


class _Bars:
    """A bar of ``bars`` for each phase that runs; a phase that begins again after its end gets a new one."""

    def __init__(self, bars: Any, whole: Whole | None = None) -> None:
        self._bars, self._whole = bars, whole
        self._tasks: dict[str, Any] = {}
        self._details: dict[str, str] = {}

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        # A phase that is done may still get a last detail, so its line waits until something else is reported.
        self.end_finished(but=phase if done >= total else None)
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(_escaped(phase), total=total)
        self._details[phase] = detail or self._details.get(phase, "")
        self._bars.detail = self._details[phase]
        self._bars.whole = self._whole(phase, done, total) if self._whole else ""
        self._bars.update(self._tasks[phase], completed=done, total=total)

    def end(self) -> None:
        """Nothing runs any more: the lines of what is done stay."""
        self._bars.whole = ""
        self.end_finished()

    def end_finished(self, *, but: str | None = None) -> None:
        """A line in place of the bar of each phase that is done."""
        finished = {task.id: task for task in self._bars.tasks if task.finished}
        for phase, number in list(self._tasks.items()):
            if number in finished and phase != but:
                words = f"{clock(finished[number].finished_time or 0.0)}  {_escaped(self._details.pop(phase))}".rstrip()
                del self._tasks[phase]
                self._bars.remove_task(number)
                self._bars.detail = ""
                self._bars.console.print(f"✓ {_escaped(phase)} [dim]{words}[/dim]", highlight=False)


@contextmanager
def _lines(console: Console, whole: Whole | None = None) -> Iterator[Progress]:
    lines = _Lines(console, whole, every=says("all"))
    over = threading.Event()

    def watch() -> None:
        while not over.wait(TICK_S):
            lines.say_something()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lines
    finally:
        over.set()
        watcher.join()


class _Lines:
    """A line when a phase begins, and one whenever nothing was said for SILENCE_S seconds; or one for ``every`` detail
    and step.
    """

    def __init__(self, console: Console, whole: Whole | None = None, *, every: bool = False) -> None:
        self._console, self._whole, self._every = console, whole, every
        self._far = ""
        self._begun: set[str] = set()
        self._now = ""
        self._start = self._said = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        with self._lock:
            before, self._now = self._now, _words(phase, done, total, detail)
            self._far = self._whole(phase, done, total) if self._whole else ""
            far = f" ({self._far})" if self._far else ""
            if phase not in self._begun:
                self._begun.add(phase)
                self._say(f"{phase}{far}")
            elif self._every and self._now != before:
                self._say(f"{clock(time.monotonic() - self._start)} {self._now}")

    def say_something(self) -> None:
        """Say how far the work is, and for how long it goes on, if it is time for a line."""
        with self._lock:
            if self._begun and time.monotonic() - self._said >= SILENCE_S:
                far = f" ({self._far})" if self._far else ""
                self._say(f"{clock(time.monotonic() - self._start)} {self._now}{far}")

    def _say(self, words: str) -> None:
        self._said = time.monotonic()
        self._console.print(f"{_escaped(words)} ...", highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """A duration as 0:55 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _words(phase: str, done: int, total: int, detail: str) -> str:
    count = f" {done}/{total}" if total > 1 else ""
    return f"{phase}{count}{f'  {detail}' if detail else ''}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
