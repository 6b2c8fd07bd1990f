"""The report of a search, for people and for machines: a table, some lines, report.json and a self-contained
report.html.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.result import AchievedBudget, ResultRow, SearchResult
from b2nn_tvm.plan import Certificate
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

    The random choices' mean is given with its 95 % interval.
    """
    columns = ("network", "binary", "accuracy %", "budget", "predicted ms", "measured ms", "KiB")
    rows = [_cells(row, result) for row in result.rows]
    if result.random_accuracy and result.random_ms:
        rows.append(_mean_cells(result, result.random_accuracy, result.random_ms))
    return Table(f"{result.model} on {result.device}, {_threads(result)}, {result.isa}", columns, tuple(rows))


def lines(result: SearchResult) -> list[str]:
    """The findings that do not fit into the table, one line each."""
    found = [
        f"budget {_amount(each.limit, each.unit)}: achieved {_amount(each.achieved, each.unit)} ({_verdict(each)})"
        for each in result.budgets
    ]
    if result.plan.certificate is not None:
        found.append(_proof(result.plan.certificate))
    if result.prediction_error is not None:
        found.append(
            f"predicted {result.predicted:.4g} ms, measured {result.measured_ms:.4g} ms:"
            f" {_error(result.prediction_error)}"
        )
    predictions = _predictions(result)
    if len(predictions) > 1:
        errors = [abs(predicted / measured - 1) for predicted, measured in predictions]
        found.append(
            f"{len(errors)} networks predicted before they were measured: median error {median(errors):.1%}, worst"
            f" {max(errors):.1%}"
        )
    if result.quality:
        quality = result.quality
        found.append(
            f"cost model over {quality.networks} measured networks: leave-one-out error {quality.error:.1%} on average,"
            f" {quality.worst:.1%} at worst; adding up the layers is off by {quality.sum_error:.1%}"
        )
    if result.steps:
        found.append(_progression(result))
    if result.row.binary:
        found.append(f"binary layers have {result.conversion}")
    if result.library_accuracy is not None:
        found.append(
            f"compiled library on {result.images} test images: accuracy {100 * result.library_accuracy:.2f} %, "
            f"the torch model's answer on {result.agreeing} of them"
        )
    if result.random_accuracy and result.random_ms:
        found.append(_comparison(result, result.random_accuracy, result.random_ms))
    found.append(
        f"{result.folder}: plan.json, model.onnx, report.html; libraries"
        f" {', '.join(map(str, result.libraries.values()))}"
    )
    return found


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
        "prediction_error": result.prediction_error,
        "within_budget": result.within_budget,
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
    points = _predictions(result)
    top = 1.1 * max((max(pair) for pair in points), default=1.0)
    return template.render(
        result=result, table=table(result), lines=lines(result), points=points, top=top, version=__version__
    )


def _predictions(result: SearchResult) -> list[tuple[float, float]]:
    """(predicted, measured) milliseconds of the networks that the cost model had not seen when it predicted them."""
    tried = [(attempt.predicted_ms, attempt.measured_ms) for attempt in result.attempts]
    drawn = [(row.predicted_ms, row.measured_ms) for row in result.rows if row.role == "random"]
    return tried + [(predicted, ms) for predicted, ms in drawn if predicted is not None and ms is not None]


def _cells(row: ResultRow, result: SearchResult) -> tuple[str, ...]:
    name = f"{row.name} (seed {row.seed})" if row.seed is not None else row.name
    budget = _amount(result.limit, result.unit) if row.role in ("mixed", "random") else "-"
    numbers = (_ms(row.predicted_ms), _ms(row.measured_ms), f"{row.size_bytes / 1024:.0f}")
    return (name, f"{len(row.binary)} of {len(result.scores)}", f"{100 * row.accuracy:.2f}", budget, *numbers)


def _mean_cells(result: SearchResult, accuracy: Interval, ms: Interval) -> tuple[str, ...]:
    drawn = [row for row in result.rows if row.role == "random"]
    size = sum(row.size_bytes for row in drawn) / len(drawn) / 1024
    budget = _amount(result.limit, result.unit)
    return (
        f"mean of {len(drawn)} random",
        "",
        _with_interval(accuracy, 100, 2),
        budget,
        "-",
        _with_interval(ms, 1, 4),
        f"{size:.0f}",
    )


def _progression(result: SearchResult) -> str:
    known = ((step.layer, step.accuracy) for step in result.steps if step.accuracy is not None)
    accuracies = ", ".join(f"{layer} {100 * accuracy:.1f} %" for layer, accuracy in known)
    return f"layers became binary one after the other, with this validation accuracy after each: {accuracies}"


def _comparison(result: SearchResult, accuracy: Interval, ms: Interval) -> str:
    mean = accuracy.mean
    seeds = ", ".join(str(row.seed) for row in result.rows if row.role == "random")
    word = "above" if result.accuracy > mean else "below" if result.accuracy < mean else "equal to"
    return (
        f"mixed {100 * result.accuracy:.2f} % is {word} the mean {_with_interval(accuracy, 100, 2)} % of "
        f"{accuracy.count} random choices (seeds {seeds}; 95 % interval) that were measured at "
        f"{_with_interval(ms, 1, 4)} ms and fine-tuned equally"
    )


def _with_interval(interval: Interval, factor: float, digits: int) -> str:
    if not math.isfinite(interval.half_width):
        return f"{factor * interval.mean:.{digits}f}"
    return f"{factor * interval.mean:.{digits}f} ± {factor * interval.half_width:.{digits}f}"


def _proof(certificate: Certificate) -> str:
    harm = f"the summed harm of the binary layers is {certificate.objective:.4g}"
    if certificate.bound is None or certificate.gap is None:
        return f"{harm}; the solver {certificate.solver} proves nothing of it"
    if certificate.gap <= 1e-6 * abs(certificate.objective):
        return f"{harm}, proven to be the least of all choices within the bound (solver {certificate.solver})"
    return (
        f"{harm}; no choice within the bound has less than {certificate.bound:.4g}, which leaves a gap of"
        f" {certificate.gap:.2g} (solver {certificate.solver})"
    )


def _verdict(budget: AchievedBudget) -> str:
    share = budget.achieved / budget.limit - 1
    return f"kept, {-share:.1%} to spare" if share <= 0 else f"exceeded by {share:.1%}"


def _error(error: float) -> str:
    return f"the prediction was {abs(error):.1%} too {'high' if error > 0 else 'low'}"


def _amount(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value:.4g} ms"
    return f"{value / 1024:.1f} KiB" if unit == "bytes" else f"{value / 1e6:.2f} MFLOPs"


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
