"""A study as a function: train the grid, write results.csv, the figures and README.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from b2nn_tvm.errors import B2nnError, InputError
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.progress import Note, Progress, as_progress
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.storage.one_at_a_time import alone_in_output
from b2nn_tvm.storage.try_to_write import try_to_write
from b2nn_tvm.study import figures, table
from b2nn_tvm.study.grid import Grid
from b2nn_tvm.study.hypotheses_page import hypotheses_page
from b2nn_tvm.study.page import page
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.table import Row
from b2nn_tvm.words.number_of import number_of


@dataclass(frozen=True)
class StudyResult:
    """The study's ``rows`` of results.csv, the ``files`` in ``folder``, and the work that failed, with the reasons."""

    folder: Path
    rows: tuple[Row, ...]
    files: tuple[str, ...]
    failed: dict[str, str]

    def check(self) -> None:
        """Raises B2nnError where a piece of work failed."""
        if self.failed:
            name, reason = next(iter(self.failed.items()))
            raise B2nnError(
                f"{number_of(len(self.failed), 'piece')} of work failed, and what needs them is missing from"
                " results.csv;"
                f" the first was {name}: {reason}; run the same command again to try these again"
            )


@alone_in_output
def study(
    settings: StudySettings,
    *,
    output: str | os.PathLike[str],
    jobs: int | None = None,
    fresh: bool = False,
    threads: int | None = None,
    scheduler: str | None = None,
    hypothesis: int = 0,
    measure: bool = False,
    progress: Progress | None = None,
    note: Note | None = None,
) -> StudyResult:
    """Compare what ``settings`` name, with ``jobs`` processes (default: one per core), and write all into ``output``.

    Each process has ``threads`` threads (default: its share of the cores). With a ``scheduler``, the address of one of
    dask.distributed, the work goes to its workers, which see ``output`` and the data at the same paths; that of a lost
    worker is begun again. results.csv has every row as soon as it is known. The rows of a ``hypothesis``, by its
    number, stand beside those of the others there.

    Every finished training stays in ``output``/state and is used again where nothing it depends on has changed, unless
    ``fresh``. Networks that are compared at equal milliseconds are measured on this machine when all trainings are
    done, and anew where ``measure`` is true. ``note`` is told the time left and which files could not be written.
    Raises InputError and BudgetError for settings that cannot be used, and InputError where another study works in
    ``output``; a single training that fails is left out and named in the result.
    """
    if measure and not settings.fronts:
        raise InputError("no network of this study is measured: hypothesis 6 compares networks within milliseconds")
    try_to_write(output, remedy="choose another one with -o")
    cores = os.cpu_count() or 1
    folder, jobs = Path(output), jobs or cores
    threads = threads or max(1, cores // jobs)
    word = str(hypothesis) if hypothesis else ""

    def keep(rows: Sequence[Row], *, all_known: bool = fresh) -> tuple[Row, ...]:
        own = tuple(replace(row, hypothesis=word) for row in rows)
        table.replace_rows(folder / "results.csv", word, own, fewer=all_known)
        return own

    with DaskPool(scheduler) if scheduler else WorkerPool(jobs, threads=threads) as pool:
        grid = Grid(settings, folder, pool=pool, fresh=fresh, progress=as_progress(progress), note=note, keep=keep)
        rows = grid.run(measure=measure)
    if not rows:
        raise InputError(f"nothing could be trained; the first failure: {next(iter(grid.failed.values()))}")
    own = keep(rows, all_known=True)
    return StudyResult(folder, own, tuple(write_page(folder, note)), grid.failed)


def write_page(folder: Path, note: Note | None) -> list[str]:
    """Write README.md and, where matplotlib is installed, the figures from ``folder``/results.csv; returns all
    names.
    """
    rows = table.read(folder / "results.csv")
    try:
        drawn = figures.write(folder, rows)
    except InputError as error:
        if note:
            note(str(error))
        drawn = []
    told = hypotheses_page if any(row.hypothesis for row in rows) else page
    write_atomic(folder / "README.md", told(rows, figures=drawn).encode())
    return ["README.md", "results.csv", *drawn]
