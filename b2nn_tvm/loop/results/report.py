"""The report of a search, for people and for machines: a table, some lines, report.json and a self-contained
report.html.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.results.report_lines import heading, limit_words, lines, predictions, with_interval
from b2nn_tvm.loop.results.result import ResultRow, SearchResult
from b2nn_tvm.preprocess.block import block_of
from b2nn_tvm.storage.document import write_atomic, write_document
from b2nn_tvm.version import __version__

KIND, VERSION = "report", 1


@dataclass(frozen=True)
class Table:
    """A titled table of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(result: SearchResult) -> Table:
    """One row per network: how many layers are binary, accuracy, budget, predicted and measured milliseconds, the
    library's size.

    Milliseconds are undisturbed ones, or observed ones at the quantile that the columns name. The random choices' mean
    is given with its 95 % interval.
    """
    times = ("predicted ms", "measured ms")
    if result.quantile is not None:
        times = (f"predicted {quantile_word(result.quantile)} ms", f"observed {quantile_word(result.quantile)} ms")
    columns = ("network", "binary", "accuracy %", "budget", *times, "KiB")
    rows = [_cells(row, result) for row in result.rows]
    if result.random_accuracy and result.random_ms:
        rows.append(_mean_cells(result, result.random_accuracy, result.random_ms))
    return Table(f"{result.model} on {result.device}, {_threads(result)}, {result.isa}", columns, tuple(rows))


def document(result: SearchResult) -> dict[str, Any]:
    """The result as JSON-able data; paths are relative to the result's folder."""
    body = asdict(result)
    body.pop("plan")
    body |= {
        "folder": str(result.folder),
        "libraries": {name: os.path.relpath(path, result.folder) for name, path in result.libraries.items()},
        "plan": {
            "digest": result.plan.digest,
            "binary": list(result.plan.binary),
            "layers": dict(result.plan.layers),
            "certificate": None if result.plan.certificate is None else asdict(result.plan.certificate),
        },
        "preprocess": None if result.preprocess is None else block_of(result.preprocess),
        "prediction_error": result.prediction_error,
        "within_budget": result.within_budget,
        "status": result.status,
    }
    finite: dict[str, Any] = _finite(body)
    return finite


def write(result: SearchResult) -> tuple[Path, Path]:
    """Write report.json and report.html into the result's folder."""
    written = write_document(result.folder / "report.json", KIND, VERSION, document(result))
    return written, write_atomic(result.folder / "report.html", _html(result).encode())


def _html(result: SearchResult) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    points = predictions(result)
    top = 1.1 * max((max(pair) for pair in points), default=1.0)
    front, front_top = _front_picture(result)
    return template.render(
        result=result,
        table=table(result),
        heading=heading(result),
        lines=lines(result),
        points=points,
        top=top,
        times="milliseconds" if result.quantile is None else f"milliseconds at {quantile_word(result.quantile)}",
        front=front,
        front_top=front_top,
        version=__version__,
    )


def _front_picture(result: SearchResult) -> tuple[list[dict[str, Any]], float]:
    """(The points of the front in a square of 200 by 200 at (30, 10), the milliseconds at its right end)."""
    top = 1.1 * max((point.ms for point in result.front), default=1.0)
    least, most = (end(point.harm for point in result.front) if result.front else 0.0 for end in (min, max))
    picture = []
    for point in result.front:
        ends = (point.ms, point.ms if math.isnan(point.low_ms) else point.low_ms, max(point.ms, point.high_ms))
        x, low, high = (round(30 + 200 * min(ms / top, 1.0), 2) for ms in ends)
        y = round(200 - 180 * (point.harm - least) / ((most - least) or 1.0), 2)
        picture.append({"x": x, "y": y, "low": low, "high": high, "knee": point.knee})
    return picture, top


def _cells(row: ResultRow, result: SearchResult) -> tuple[str, ...]:
    name = f"{row.name} (seed {row.seed})" if row.seed is not None else row.name
    budget = limit_words(result.budgets[0]) if row.role in ("mixed", "random") else "-"
    numbers = (_ms(row.predicted_ms), _ms(row.measured_ms), f"{row.size_bytes / 1024:.0f}")
    return (name, f"{len(row.binary)} of {len(result.scores)}", f"{100 * row.accuracy:.2f}", budget, *numbers)


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


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _threads(result: SearchResult) -> str:
    return f"{result.threads} thread" + "s" * (result.threads != 1)


def _finite(value: Any) -> Any:
    """``value`` as JSON-able data: tuples become lists, paths become text, and infinity and NaN, which JSON lacks,
    become None.
    """
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
