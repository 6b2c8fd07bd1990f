"""The charts of a result by matplotlib: as SVG inside of report.html, and as files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.results.measured_choices import MeasuredChoice, measured_choices, undominated
from b2nn_tvm.loop.results.precisions import looks
from b2nn_tvm.loop.results.report_lines import predictions
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.storage.document import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of a light page by their role; in report.html each becomes the CSS variable of its role.
COLOURS = {
    "ink": "#24292f",
    "muted": "#66707b",
    "line": "#d3d9df",
    "chosen": "#c8622b",
    "plain": "#5b7fa9",
    "other": "#2f8578",
    "over": "#b3261e",
}
MOST_CLASSES = 60  # a larger confusion matrix is no picture any more
MOST_COUNTS = 15  # up to so many classes, the counts fit into the squares
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "b2nn",  # equal numbers give equal files
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
PNG_DPI = 200


def inline_charts(result: SearchResult) -> dict[str, str]:
    """The charts as SVG elements for a page, by name; their colours are CSS variables."""
    with _style():
        return {name: _inline(name, _saved(figure, "svg").decode()) for name, figure in _figures(result).items()}


def write_charts(result: SearchResult, folder: Path) -> list[Path]:
    """Write every chart of the result into ``folder`` as SVG and as PNG, on white; returns the files.

    Raises InputError where matplotlib is missing.
    """
    written = []
    with _style():
        for name, figure in {**_figures(result), "layers": _layers(result)}.items():
            figure.set_facecolor("white")
            written += [write_atomic(folder / f"{name}.{kind}", _saved(figure, kind)) for kind in ("svg", "png")]
    return written


@contextmanager
def _style() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError:
        raise InputError("charts need matplotlib, which is not installed: pip install 'b2nn-tvm[train]'") from None
    with matplotlib.rc_context(STYLE):
        yield


def _figures(result: SearchResult) -> dict[str, Figure]:
    figures = {}
    choices = measured_choices(result)
    if len(choices) > 1:
        figures["front"] = _front(result, choices)
    if result.fronts:
        figures["fronts"] = _fronts(result)
    if predictions(result):
        figures["predictions"] = _predictions(result)
    if result.answers is not None and len(result.answers.classes) <= MOST_CLASSES:
        figures["confusion"] = _confusion(result)
    return figures


def _front(result: SearchResult, choices: list[MeasuredChoice]) -> Figure:
    """Harm against milliseconds of all choices that were measured; a line joins those that no other one beats."""
    figure, axes = _axes(4.8, 3.2)
    best = undominated(choices)
    axes.step([each.ms for each in best], [each.harm for each in best], where="post", color=COLOURS["line"], lw=1.4)
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "front": ("front", {"marker": "o", "color": COLOURS["plain"], "ms": 4}),
        "candidate": ("candidate", {"marker": "o", "color": COLOURS["muted"], "ms": 3.5, "mfc": "none"}),
        "float": ("all float", {"marker": "s", "color": COLOURS["plain"], "ms": 6}),
        "binary": ("all binary", {"marker": "D", "color": COLOURS["other"], "ms": 5.5}),
        "int8": ("all int8", {"marker": "v", "color": COLOURS["other"], "ms": 5.5}),
        "w1a2": ("all W1A2", {"marker": "<", "color": COLOURS["other"], "ms": 5.5}),
        "w2a2": ("all W2A2", {"marker": ">", "color": COLOURS["other"], "ms": 5.5}),
        "flops": ("by FLOPs", {"marker": "^", "color": COLOURS["ink"], "ms": 10, "mfc": "none"}),
        "mixed": ("delivered", {"marker": "o", "color": COLOURS["chosen"], "ms": 7}),
    }
    for kind, (label, look) in kinds.items():
        own = [each for each in choices if each.kind == kind]
        if own:
            ms = [each.ms for each in own]
            sides = [
                [0.0 if math.isnan(each.low_ms) else max(0.0, each.ms - each.low_ms) for each in own],
                [0.0 if math.isnan(each.high_ms) else max(0.0, each.high_ms - each.ms) for each in own],
            ]
            harms = [each.harm for each in own]
            axes.errorbar(ms, harms, xerr=sides, fmt="none", ecolor=look["color"], elinewidth=1.2)
            axes.plot(ms, harms, linestyle="none", label=label, **look)
    _budget_line(result, axes, vertical=True)
    axes.set_xlabel(_times(result))
    axes.set_ylabel("harm")
    _legend(axes)
    return figure


def _fronts(result: SearchResult) -> Figure:
    """The fronts of all precisions and of single ones: each a step down to less harm for more milliseconds."""
    figure, axes = _axes(4.8, 3.2)
    slowest = max(point.ms for each in result.fronts for point in each.points)
    dashes: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)))
    for each, role, dash in zip(result.fronts, ("chosen", "plain", "other"), dashes, strict=False):
        ms, harm = ([getattr(point, name) for point in each.points] for name in ("ms", "harm"))
        style: dict[str, Any] = {"where": "post", "color": COLOURS[role], "linestyle": dash, "lw": 1.6}
        axes.step([*ms, slowest], [*harm, harm[-1]], label=each.title, **style)
        axes.plot(ms, harm, linestyle="none", marker="o", markersize=3.5, color=COLOURS[role])
    _budget_line(result, axes, vertical=True)
    axes.set_xlabel(_times(result))
    axes.set_ylabel("harm")
    _legend(axes)
    return figure


def _predictions(result: SearchResult) -> Figure:
    """Measured against predicted milliseconds of the networks that were predicted first."""
    figure, axes = _axes(4.8, 3.6)
    *others, last = predictions(result)
    if result.unit != "ms":
        others = [*others, last]
    values = [value for pair in (*others, last) for value in pair]
    room = 0.08 * (max(values) - min(values)) or 0.08 * max(values)
    ends = (min(values) - room, max(values) + room)
    axes.plot(ends, ends, color=COLOURS["line"], linewidth=1.2)
    if others:
        axes.plot(
            *zip(*others, strict=True),
            linestyle="none",
            marker="o",
            markersize=4.5,
            color=COLOURS["plain"],
            label="other networks",
        )
    if result.unit == "ms":
        axes.plot(*last, linestyle="none", marker="o", markersize=7, color=COLOURS["chosen"], label="delivered")
        _budget_line(result, axes, vertical=False)
    axes.set(xlim=ends, ylim=ends, xlabel=f"predicted {_times(result)}", ylabel=f"measured {_times(result)}")
    _legend(axes)
    return figure


def _confusion(result: SearchResult) -> Figure:
    """The library's answers by the true class; a square's strength is its share of the class's images."""
    from matplotlib.patches import Rectangle

    answers = result.answers
    if answers is None:
        raise InputError("this result has no answers to draw")
    count = max(len(answers.classes), 1 + max(answer for _, answer, _ in answers.confusion))
    figure, axes = _axes(4.8, 4.4)
    axes.grid(visible=False)
    images = dict.fromkeys(range(count), 0)
    for label, _, number in answers.confusion:
        images[label] += number
    for label, answer, number in answers.confusion:
        colour = COLOURS["plain" if label == answer else "chosen"]
        share = number / images[label]
        square = Rectangle((answer - 0.5, label - 0.5), 1, 1, facecolor=colour, alpha=0.15 + 0.75 * share, linewidth=0)
        axes.add_patch(square)
        if count <= MOST_COUNTS:
            axes.text(answer, label, str(number), ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xlabel="the library's answer", ylabel="true class")
    axes.set_aspect("equal")
    small: dict[str, Any] = {"fontsize": 8 if count <= MOST_COUNTS else 5, "parse_math": False}
    names = [answers.name(index) for index in range(count)]
    upright = max(map(len, names)) <= 2
    axes.set_xticks(range(count), names, rotation=0 if upright else 90, **small)
    axes.set_yticks(range(count), names, **small)
    return figure


def _layers(result: SearchResult) -> Figure:
    """The measured milliseconds of every layer in its precision, and in float behind it."""
    layers = result.layers
    figure, axes = _axes(5.6, 0.8 + 0.2 * max(len(layers), 1))
    axes.grid(visible=False, axis="y")
    for name, look in looks(layer.precision for layer in layers).items():
        own = [index for index, layer in enumerate(layers) if layer.precision == name]
        axes.barh(own, [layers[index].now_ms for index in own], height=0.7, color=look.light, label=look.word)
    before = [layer.ms.get("float", math.nan) for layer in layers]
    axes.plot(before, range(len(layers)), linestyle="none", marker="|", color=COLOURS["ink"], label="as float")
    axes.set_yticks(range(len(layers)), [layer.name for layer in layers], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds")
    _legend(axes)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(length=0)
    return figure, axes


def _budget_line(result: SearchResult, axes: Axes, *, vertical: bool) -> None:
    if result.unit == "ms":
        draw = axes.axvline if vertical else axes.axhline
        draw(result.limit, color=COLOURS["over"], linewidth=1.1, linestyle=(0, (4, 3)), label="budget")


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, frameon=False, fontsize=8, handletextpad=0.3)


def _times(result: SearchResult) -> str:
    return "milliseconds" if result.quantile is None else f"milliseconds at {quantile_word(result.quantile)}"


def _saved(figure: Figure, kind: str) -> bytes:
    content = io.BytesIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None} if kind == "svg" else {"Software": None}
    figure.savefig(content, format=kind, dpi=PNG_DPI if kind == "png" else "figure", metadata=empty)
    return content.getvalue()


def _inline(name: str, svg: str) -> str:
    """The <svg> element of a file without what names other documents, with CSS variables for its colours, and with ids
    that begin with ``name``.
    """
    element = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r' (xmlns(:xlink)?|width|height|version)="[^"]*"', "", element.partition(">")[0]) + (
        ">" + element.partition(">")[2]
    )
    element = re.sub(r'((?:\bid|href)="#?|url\(#)', rf"\g<1>{name}-", element)
    for role, colour in COLOURS.items():
        element = element.replace(colour, f"var(--{role})")
    return element
