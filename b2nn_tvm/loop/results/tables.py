"""The tables of a result as text: for the terminal, and for report.html."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results.budget_words import amount, limit_words
from b2nn_tvm.loop.results.report_lines import counted, with_interval
from b2nn_tvm.loop.results.result import ResultRow, Round, SearchResult
from b2nn_tvm.words.number_of import number_of


@dataclass(frozen=True)
class Table:
    """A titled table of text; the rows of these numbers are ``marked``."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()


def networks(result: SearchResult) -> Table:
    """One row per network: how many layers are binary, accuracy, budget, predicted and measured milliseconds, the
    library's size.

    Milliseconds are undisturbed ones, or observed ones at the quantile that the columns name. The random choices' mean
    is given with its 95 % interval.
    """
    times = ("predicted ms", "measured ms")
    if result.quantile is not None:
        times = (f"predicted {quantile_word(result.quantile)} ms", f"observed {quantile_word(result.quantile)} ms")
    columns = ("network", result.fewer_bits, "accuracy %", "budget", *times, "KiB")
    rows = [_cells(row, result) for row in result.rows]
    if result.random_accuracy and result.random_ms:
        rows.append(_mean_cells(result, result.random_accuracy, result.random_ms))
    title = f"{result.model} on {result.device}, {threads_words(result)}, {result.isa}"
    return Table(title, columns, tuple(rows), _mixed(result))


def rounds(result: SearchResult) -> Table:
    """One row per round of the loop: the bound, the candidates that were measured, what was chosen and delivered."""
    columns = ("", "bound", "candidates", result.fewer_bits, "harm", "predicted", "delivered", "budget")
    rows = tuple(_round_cells(index, each, result) for index, each in enumerate(result.rounds, 1))
    return Table("Rounds", columns, rows, frozenset({len(rows) - 1}))


def candidates(result: SearchResult) -> Table:
    """One row per candidate that was built and measured before one was chosen, in the order of measuring."""
    rows = tuple(
        (
            str(index),
            f"{len(each.binary)} of {result.choosing}",
            _number(each.harm),
            f"{each.predicted_ms:.4f}",
            f"{each.measured_ms:.4f}",
        )
        for index, one in enumerate(result.rounds, 1)
        for each in one.attempts
    )
    return Table("Candidates", ("round", result.fewer_bits, "harm", "predicted ms", "measured ms"), rows)


def front(result: SearchResult) -> Table:
    """One row per point of the front, the fastest first; what is known of no point has no column."""
    columns = (result.fewer_bits, "harm", "measured ms", "95 % interval", "accuracy %")
    rows = [_front_cells(point, result.choosing) for point in result.front]
    known = [index for index in range(len(columns)) if any(row[index] != "-" for row in rows)]
    knees = frozenset(index for index, point in enumerate(result.front) if point.knee)
    return Table(
        "Front",
        tuple(columns[index] for index in known),
        tuple(tuple(row[index] for index in known) for row in rows),
        knees,
    )


def fronts(result: SearchResult) -> Table:
    """One row per time at which a front has a point, the fastest first: the least harm of each front within this time,
    and the layers of the first front's choice.
    """
    columns = (
        f"within {_times(result)}",
        *(f"harm, {each.title}" for each in result.fronts),
        f"layers, {result.fronts[0].title}",
    )
    rows = []
    times = sorted(point.ms for each in result.fronts for point in each.points)
    for ms in {f"{ms:.4f}": ms for ms in times}.values():  # of times that look the same the longest
        best = [each.best_within(ms) for each in result.fronts]
        harms = ("-" if point is None else _number(point.harm) for point in best)
        rows.append((f"{ms:.4f}", *harms, "-" if best[0] is None else counted(best[0].binary)))
    return Table("Fronts", columns, tuple(rows))


def threads_words(result: SearchResult) -> str:
    """The number of threads in words."""
    return number_of(result.threads, "thread")


def _mixed(result: SearchResult) -> frozenset[int]:
    return frozenset(index for index, row in enumerate(result.rows) if row.role == "mixed")


def _cells(row: ResultRow, result: SearchResult) -> tuple[str, ...]:
    name = f"{row.name} (seed {row.seed})" if row.seed is not None else row.name
    budget = limit_words(result.budgets[0]) if row.role in ("mixed", "random") else "-"
    numbers = (_ms(row.predicted_ms), _ms(row.measured_ms), f"{row.size_bytes / 1024:.0f}")
    return (name, f"{len(row.binary)} of {result.choosing}", f"{100 * row.accuracy:.2f}", budget, *numbers)


def _mean_cells(result: SearchResult, accuracy: Interval, ms: Interval) -> tuple[str, ...]:
    drawn = [row for row in result.rows if row.role == "random"]
    size = sum(row.size_bytes for row in drawn) / len(drawn) / 1024
    return (
        f"mean of {len(drawn)} random",
        "",
        with_interval(accuracy, 100, 2),
        limit_words(result.budgets[0]),
        "-",
        with_interval(ms, 1, 4),
        f"{size:.0f}",
    )


def _round_cells(index: int, each: Round, result: SearchResult) -> tuple[str, ...]:
    delivered = f"{each.time.at(result.quantile):.4g} ms"
    if result.quantile is None and math.isfinite(each.time.high_ms):
        delivered += f" ({each.time.low_ms:.4g} to {each.time.high_ms:.4g})"
    return (
        f"round {index}",
        amount(each.bound, result.unit),
        str(len(each.attempts)),
        f"{len(each.binary)} of {result.choosing}",
        _number(each.harm),
        amount(each.predicted, result.unit),
        delivered,
        each.status,
    )


def _front_cells(point: FrontPoint, count: int) -> tuple[str, ...]:
    knee = " (the knee)" if point.knee else ""
    interval = "-" if math.isnan(point.low_ms) else f"{point.low_ms:.4f} to {point.high_ms:.4f}"
    accuracy = "-" if point.accuracy is None else f"{100 * point.accuracy:.2f}"
    return (f"{len(point.binary)} of {count}{knee}", _number(point.harm), f"{point.ms:.4f}", interval, accuracy)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"


def _times(result: SearchResult) -> str:
    return "ms" if result.quantile is None else f"{quantile_word(result.quantile)} ms"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers alone, which are aligned right."""
    return all(not cell or cell == "-" or cell.removeprefix("-")[0].isdigit() for cell in cells)
