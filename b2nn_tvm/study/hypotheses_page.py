"""README.md of a study of hypotheses, written from its rows alone: each claim, its verdict and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from b2nn_tvm.loop.compare_random import interval
from b2nn_tvm.study.hypotheses import HYPOTHESES, Hypothesis, Of
from b2nn_tvm.study.page import markdown_table
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.verdicts import UNKNOWN, Judgement, by_seed, judge, points


def hypotheses_page(rows: Sequence[Row], *, figures: Sequence[str] = ()) -> str:
    """The page in Markdown; ``figures`` are files beside it."""
    judged = [judge(each, rows) for each in HYPOTHESES]
    parts = ["# Hypotheses and what became of them", *_setting(rows)]
    parts += [f"![{name.partition('.')[0]}]({name})" for name in figures]
    verdicts = [[str(each.hypothesis.number), each.hypothesis.claim, each.verdict] for each in judged]
    parts += ["## Verdicts", markdown_table(["", "claim", "verdict"], verdicts), _how()]
    for each in judged:
        parts += _section(each, [row for row in rows if row.hypothesis == str(each.hypothesis.number)])
    return "\n\n".join(parts) + "\n"


def _setting(rows: Sequence[Row]) -> list[str]:
    lines = []
    usual = [row for row in rows if row.part != "recipes"]
    for some in {(row.data, row.images, row.recipe, row.float_epochs): row for row in usual}.values():
        epochs = max((row.epochs for row in rows if row.data == some.data), default=0)
        lines.append(
            f"Data: {some.data}, {some.images:,} training images, tested on {some.tested:,} images that nothing was"
            f" chosen by. Recipe `{some.recipe}`: float networks were trained for {some.float_epochs} epochs, one per"
            f" seed, and every network was fine-tuned from its seed's float network for {epochs} epochs."
        )
    trained = {row.training: row.seconds for row in rows if row.epochs}
    hours = sum(trained.values()) / 3600
    return [*lines, f"{len(rows)} rows in results.csv stand for {len(trained)} fine-tunings ({hours:.1f} hours)."]


def _how() -> str:
    return (
        "Differences are in percent points of test accuracy, paired by seed, with 95 % intervals (Student's t, not"
        " adjusted for their number). A claim holds if the whole interval of every comparison is above its bound. It"
        " does not hold if the interval of one of them is below. Otherwise it is not decided."
    )


def _section(judged: Judgement, rows: Sequence[Row]) -> list[str]:
    claim = judged.hypothesis
    parts = [f"## Hypothesis {claim.number}", claim.claim, f"**{judged.sentence}**"]
    if judged.verdict == UNKNOWN and not rows:
        return [*parts, _planned(claim)]
    body = [
        [
            f"{each.comparison.first} less {each.comparison.second}",
            f"above {each.comparison.above:+.0f}" if each.comparison.above else "above 0",
            "-" if each.interval is None else points(each.interval),
            "-" if each.interval is None else str(each.interval.count),
            each.verdict,
        ]
        for each in judged.findings
    ]
    parts.append(markdown_table(["comparison", "claimed", "found", "seeds", ""], body))
    kinds = dict.fromkeys(Of(row.part, row.method, row.budget) for row in rows)
    means = [[str(of), _share(rows, of), *_mean(by_seed(rows, of))] for of in kinds]
    return [*parts, markdown_table(["network", "FLOPs left, %", "test accuracy, %", "seeds"], means)]


def _planned(claim: Hypothesis) -> str:
    settings = claim.settings
    what = settings.methods or settings.activations
    return f"Its grid: {', '.join(what)}; seeds 0 to {settings.seeds - 1}."


def _share(rows: Sequence[Row], of: Of) -> str:
    shares = [100 * row.share for row in rows if Of(row.part, row.method, row.budget) == of]
    low, high = min(shares), max(shares)
    return f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"


def _mean(accuracies: dict[int, float]) -> tuple[str, str]:
    found = interval(list(accuracies.values()))
    width = f" ± {found.half_width:.1f}" if math.isfinite(found.half_width) else ""
    return f"{found.mean:.1f}{width}", str(found.count)
