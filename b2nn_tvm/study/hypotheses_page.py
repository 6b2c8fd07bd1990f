"""README.md of a study of hypotheses, written from its rows alone: each claim, its verdict and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from b2nn_tvm.loop.compare_random import interval
from b2nn_tvm.study.fronts.within import mean_ms
from b2nn_tvm.study.hypotheses import HYPOTHESES, Hypothesis, Of
from b2nn_tvm.study.page import markdown_table
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.verdicts import UNKNOWN, Judgement, by_seed, judge, rows_of


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
            str(each.comparison),
            f"above {each.comparison.above:+.0f}" if each.comparison.above else "above 0",
            each.found,
            "-" if each.interval is None else str(each.interval.count),
            each.verdict,
        ]
        for each in judged.findings
    ]
    parts.append(markdown_table(["comparison", "claimed", "found", "seeds", ""], body))
    kinds = dict.fromkeys(Of(row.part, row.method, row.budget) for row in rows)
    if not any(row.ms is not None for row in rows):
        means = [[str(of), _share(rows, of), *_mean(by_seed(rows, of))] for of in kinds]
        return [*parts, markdown_table(["network", "FLOPs left, %", "test accuracy, %", "seeds"], means)]
    timed = [[str(of), _share(rows, of), _ms(rows, of), *_mean(by_seed(rows, of))] for of in kinds]
    parts += [_within(claim, rows), _machine(rows)]
    return [*parts, markdown_table(["network", "FLOPs left, %", "ms", "test accuracy, %", "seeds"], timed)]


def _within(claim: Hypothesis, rows: Sequence[Row]) -> str:
    """The accuracy of each front within the milliseconds at which fronts are compared."""
    names = list(dict.fromkeys(row.method for row in rows if row.part == "fronts"))
    body = []
    for at in dict.fromkeys(each.at for each in claim.comparisons if each.at is not None):
        if (ms := mean_ms(rows_of(rows, at))) is None:
            continue
        found = [by_seed(rows, Of("fronts", name, ""), ms) for name in names]
        body.append([f"{at}, {ms:.3g} ms", *(_mean(each)[0] if each else "none as fast" for each in found)])
    return "Test accuracy of each front in % within the milliseconds of these networks:\n\n" + markdown_table(
        ["within", *names], body
    )


def _machine(rows: Sequence[Row]) -> str:
    some = next(row for row in rows if row.ms is not None)
    return (
        f"Milliseconds are those of one undisturbed inference on {some.cpu}, for the target {some.target}, with"
        f" {some.threads} thread{'s' * (some.threads != 1)}; all networks took turns. A front's accuracy between two of"
        " its networks is on the straight line between them, and above its slowest network it is that network's."
    )


def _planned(claim: Hypothesis) -> str:
    settings = claim.settings
    plans = ("own plan", "carried plan") if settings.other_data else ()
    kinds = (settings.methods, settings.activations, settings.fronts, settings.selections, settings.ablations, plans)
    what = next(names for names in kinds if names)
    return f"Its grid: {', '.join(what)}; seeds 0 to {settings.seeds - 1}."


def _share(rows: Sequence[Row], of: Of) -> str:
    shares = [100 * row.share for row in rows if Of(row.part, row.method, row.budget) == of]
    low, high = min(shares), max(shares)
    return f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"


def _ms(rows: Sequence[Row], of: Of) -> str:
    found = [row.ms for row in rows_of(rows, of) if row.ms is not None]
    if not found:
        return "-"
    low, high = f"{min(found):.3g}", f"{max(found):.3g}"
    return low if low == high else f"{low} to {high}"


def _mean(accuracies: Mapping[int, float]) -> tuple[str, str]:
    found = interval(list(accuracies.values()))
    width = f" ± {found.half_width:.1f}" if math.isfinite(found.half_width) else ""
    return f"{found.mean:.1f}{width}", str(found.count)
