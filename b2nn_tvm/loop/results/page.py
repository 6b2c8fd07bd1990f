"""report.html: one file that needs nothing else, made from a template, the tables and the charts."""

from __future__ import annotations

import math
import os
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.results import tables
from b2nn_tvm.loop.results.budget_words import heading
from b2nn_tvm.loop.results.charts import COLOURS, inline_charts
from b2nn_tvm.loop.results.precisions import looks
from b2nn_tvm.loop.results.report_lines import findings, int8_words, prediction_words
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.loop.results.tiles import sentence, tiles
from b2nn_tvm.version import __version__
from b2nn_tvm.words.number_of import number_of

LEAST_SHARE = 0.004  # a layer's part of the strip is seen, however little time it takes
MOST_CLASSES = 20  # the classes that suffered most are shown, no more


@dataclass(frozen=True)
class Segment:
    """A part of the strip of layers: its label, its precision ("" for what is no layer) and its share of the width."""

    label: str
    precision: str
    share: float


def page(result: SearchResult) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ms": _ms, "kib": _kib, "number": _number, "whole": _whole}
    environment.tests["nan"] = math.isnan
    environment.filters |= {"duration": _duration, "moment": _moment}
    return environment.get_template("report.html").render(
        result=result,
        colours=COLOURS,
        looks=looks(layer.precision for layer in result.layers),
        heading=heading(result),
        tiles=tiles(result),
        sentence=sentence(result),
        findings=[each for each in findings(result) if not each.shown],
        segments=_segments(result),
        tables=tables,
        numeric=_numeric,
        predictions=prediction_words(result),
        int8_words=int8_words,
        charts=inline_charts(result),
        classes=_classes(result),
        files=_files(result),
        commands=_commands(result),
        times="milliseconds" if result.quantile is None else f"milliseconds at {quantile_word(result.quantile)}",
        number_of=number_of,
        version=__version__,
    )


def _segments(result: SearchResult) -> list[Segment]:
    """The layers' shares of their time in the delivered network, and what is no layer at the end."""
    times = [(layer.name, layer.precision, layer.now_ms) for layer in result.layers if not math.isnan(layer.now_ms)]
    if result.rest_ms:
        times.append(("the rest: pooling, additions and the like", "", result.rest_ms))
    total = sum(ms for *_, ms in times) or 1.0
    return [Segment(f"{name}, {ms:.4g} ms", precision, max(ms / total, LEAST_SHARE)) for name, precision, ms in times]


def _numeric(table: tables.Table) -> list[bool]:
    return [tables.is_numeric([row[index] for row in table.rows]) for index in range(len(table.columns))]


def _classes(result: SearchResult) -> list[tuple[str, int, int, int]]:
    """(class, images, right in float, right in the library), those that lost most first where there are many."""
    if result.answers is None:
        return []
    rows = result.answers.by_class()
    return rows if len(rows) <= MOST_CLASSES else sorted(rows, key=lambda row: row[3] - row[2])[:MOST_CLASSES]


def _files(result: SearchResult) -> list[tuple[str, str]]:
    """(path relative to the folder, what it is)."""
    named = [
        ("plan.json", "the precision of each layer"),
        ("model.onnx", "the trained network; any ONNX runtime runs it"),
        ("costs.json", "the measured times"),
        ("report.json", "this page as data"),
    ]
    libraries = [
        (os.path.relpath(path, result.folder), f"the library for {name}") for name, path in result.libraries.items()
    ]
    return [*libraries, *named]


def _commands(result: SearchResult) -> list[tuple[str, str]]:
    """(command, what it does), to go on with."""
    folder = result.folder
    first = os.path.relpath(next(iter(result.libraries.values())), folder)
    return [
        (shlex.join(("b2nn-profile", str(folder / first))), "times the library, layer by layer"),
        (
            shlex.join(("b2nn-compile", str(folder / "model.onnx"), *["--target", "rpi4", "--bundle", "-o", "board"])),
            "makes a folder to copy to a board",
        ),
    ]


def _ms(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}" if value < 10 else f"{value:.4g}"


def _kib(value: int | None) -> str:
    return "" if value is None else f"{value / 1024:.1f}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _whole(text: str) -> str:
    """A line of the terminal as a whole sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def _moment(stamp: str) -> str:
    """A stamp of ISO 8601 in UTC as people write it."""
    return f"{datetime.fromisoformat(stamp):%Y-%m-%d %H:%M} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
