"""The figures of a study as SVG, by matplotlib: accuracy against budget with bands, and the layers of each method."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.compare_random import interval
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.study.page import groups
from b2nn_tvm.study.settings import SLIMMING
from b2nn_tvm.study.table import Row, seed_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 6  # methods in one panel of the accuracy figure


def write(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Draw the figures of ``rows`` into ``folder``; returns the file names.

    Raises InputError where matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError:
        raise InputError("figures need matplotlib, which is not installed: pip install 'b2nn-tvm[study]'") from None
    drawn = {}
    if groups(rows, "methods"):
        drawn["accuracy.svg"] = accuracy(rows)
    if _choosing(rows):
        drawn["layers.svg"] = layers(rows)
    if any(row.ms is not None for row in rows):
        drawn["milliseconds.svg"] = milliseconds(rows)
    # Text stays text, and equal numbers give equal files.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "b2nn"}):
        for name, figure in drawn.items():
            content = io.BytesIO()
            figure.savefig(content, format="svg", metadata={"Date": None})
            write_atomic(folder / name, content.getvalue())
    return list(drawn)


def accuracy(rows: Sequence[Row]) -> Figure:
    """Mean test accuracy against the achieved share of the FLOPs, with 95 % bands.

    Each panel has a few methods and, for comparison, the first one.
    """
    from matplotlib.figure import Figure

    found = groups(rows, "methods")
    names = list(dict.fromkeys(name for group in found for name in group.methods))
    first, others = names[0], names[1:]
    panels = [others[start : start + PANELS] for start in range(0, len(others), PANELS)] or [[]]
    figure = Figure(figsize=(4.2 * len(panels), 4.2), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        for name in (first, *panel):
            groups_of = [own for group in found if (own := group.of(name))]
            points = [(100 * float(np.mean([row.share for row in own])), own) for own in groups_of]
            _draw(axes, name, points, "black" if name == first else None)
        axes.set_xlabel("FLOPs left, %")
        axes.legend(fontsize="x-small", loc="lower right")
    all_axes[0].set_ylabel("test accuracy, %")
    return figure


def milliseconds(rows: Sequence[Row]) -> Figure:
    """Mean test accuracy of each front against the measured milliseconds, with 95 % bands."""
    from matplotlib.figure import Figure

    timed = [row for row in rows if row.ms is not None]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row.method for row in timed):
        own = [row for row in timed if row.method == name]
        points = [[row for row in own if row.budget == budget] for budget in dict.fromkeys(row.budget for row in own)]
        _draw(axes, name, [(float(np.mean([row.ms for row in point])), point) for point in points])
    axes.set_xlabel(f"milliseconds on {timed[0].cpu}")
    axes.set_ylabel("test accuracy, %")
    axes.legend(fontsize="x-small", loc="lower right")
    return figure


def _draw(axes: Axes, name: str, points: Sequence[tuple[float, Sequence[Row]]], color: str | None = None) -> None:
    """A line through the means of the rows at each place, and the band of their intervals."""
    found = [(place, interval(list(seed_means(own).values()))) for place, own in points]
    found.sort(key=lambda point: point[0])
    x, means = [place for place, _ in found], np.array([each.mean for _, each in found])
    widths = np.array([each.half_width if math.isfinite(each.half_width) else 0.0 for _, each in found])
    (line,) = axes.plot(x, means, marker="o", markersize=3, label=name, color=color)
    axes.fill_between(x, means - widths, means + widths, color=line.get_color(), alpha=0.12, linewidth=0)


def layers(rows: Sequence[Row]) -> Figure:
    """How often each method makes each layer binary, over the seeds: a heat map per budget."""
    from matplotlib.figure import Figure

    found = groups(rows, "methods")
    everything = next((row.binary for row in rows if row.method == "all binary"), ())
    known = everything or tuple(sorted({name for row in rows if row.part == "methods" for name in row.binary}))
    methods = _choosing(rows)
    figure = Figure(figsize=(1.2 + 3.6 * len(found), 1.6 + 0.24 * len(methods)), layout="constrained")
    all_axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, group in zip(all_axes, found, strict=True):
        shares = np.array([[_share(group.of(method), layer) for layer in known] for method in methods])
        picture = axes.imshow(shares.reshape(len(methods), len(known)), vmin=0, vmax=1, cmap="Blues", aspect="auto")
        axes.set_title(f"{group.budget} % of the FLOPs", fontsize="small")
        axes.set_xticks(range(len(known)), known, rotation=90, fontsize="xx-small")
        axes.set_yticks(range(len(methods)), methods, fontsize="x-small")
        axes.set_xlabel("layer")
    all_axes[0].set_ylabel("method")
    figure.colorbar(picture, ax=all_axes, label="share of seeds in which the layer is binary")
    return figure


def _choosing(rows: Sequence[Row]) -> list[str]:
    """The methods that choose layers."""
    return [
        name
        for name in dict.fromkeys(name for group in groups(rows, "methods") for name in group.methods)
        if name != SLIMMING
    ]


def _share(rows: Sequence[Row], layer: str) -> float:
    return sum(layer in row.binary for row in rows) / len(rows) if rows else math.nan
