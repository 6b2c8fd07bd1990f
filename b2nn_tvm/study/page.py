"""README.md of a study, written from its rows alone: the setting, the means, and the methods that can be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from b2nn_tvm.loop.compare_random import interval
from b2nn_tvm.study.paired import Difference, compare
from b2nn_tvm.study.settings import LEVELS
from b2nn_tvm.study.table import Row, seed_means
from b2nn_tvm.words.number_of import number_of

REFERENCES = {"methods": ("mixbin-loss", "random"), "activations": ("binrelu",)}  # fixed before any result is known


@dataclass(frozen=True)
class Group:
    """The rows of one part and one budget."""

    part: str
    budget: str
    rows: tuple[Row, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.method for row in self.rows))

    def of(self, method: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.method == method)

    def differences(self, reference: str) -> list[Difference]:
        """Every method against ``reference`` by accuracy on the test set, in percent points."""
        accuracies = {name: seed_means(self.of(name)) for name in self.methods}
        trainings = {name: {row.seed: row.training for row in self.of(name)} for name in self.methods}
        return compare(accuracies, reference, trainings=trainings)


def groups(rows: Iterable[Row], part: str) -> list[Group]:
    """One group per budget, in the order of the rows."""
    chosen = [row for row in rows if row.part == part]
    return [
        Group(part, budget, tuple(row for row in chosen if row.budget == budget))
        for budget in dict.fromkeys(row.budget for row in chosen)
    ]


def page(rows: Sequence[Row], *, figures: Sequence[str] = ()) -> str:
    """The page in Markdown; ``figures`` are files beside it."""
    parts = ["# Methods compared at equal cost", *_setting(rows)]
    parts += [f"![{name.partition('.')[0].replace('-', ' ')}]({name})" for name in figures]
    methods, acting = groups(rows, "methods"), groups(rows, "activations")
    if methods:
        parts += ["## Methods", _means(methods, "budget, % of the float FLOPs", rows), *_cost(methods)]
        parts += ["### What can be told apart", _how("methods"), *_verdicts(methods, "methods")]
        parts += ["### Before fine-tuning", _before(methods)]
    if acting:
        parts += [
            "## Activations",
            _acting_setting(acting),
            _means(acting, "binary layers", ()),
            _how("activations"),
            *_verdicts(acting, "activations"),
        ]
    return "\n\n".join(parts) + "\n"


def summary(rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """(title, columns, rows) of the tables of means, for a terminal."""
    found = []
    for part in ("methods", "activations", "transfer", "fronts", "selections"):
        by_budget = groups(rows, part)
        names = dict.fromkeys(name for group in by_budget for name in group.methods)
        body = [(name, *(_mean(seed_means(group.of(name)).values()) for group in by_budget)) for name in names]
        if body:
            found.append(
                (
                    f"{part}: test accuracy in %, mean ± half of the 95 % interval",
                    ("", *(group.budget for group in by_budget)),
                    body,
                )
            )
    return found


def winners(group: Group, reference: str) -> tuple[list[Difference], list[Difference], list[Difference]]:
    """The methods that are better than the reference, worse, and not told apart from it."""
    found = group.differences(reference)
    verdicts = ("better", "worse", "not told apart")
    better, worse, tied = ([each for each in found if each.verdict == verdict] for verdict in verdicts)
    return better, worse, tied


def _setting(rows: Sequence[Row]) -> list[str]:
    trained = {row.training: row for row in rows if row.epochs}
    some = rows[0]
    seeds = sorted({row.seed for row in rows})
    hours = sum(row.seconds for row in trained.values()) / 3600
    lines = [
        (
            f"Data: {some.data}, {some.images} training images; accuracies are on {some.tested} test images, which"
            f" nothing was chosen by. Float parents were trained for {number_of(some.float_epochs, 'epoch')}, one"
            " per seed, and"
            f" every network was fine-tuned from its seed's parent for"
            f" {number_of(max(row.epochs for row in rows), 'epoch')},"
            f" distilled from it. Seeds: {', '.join(map(str, seeds))}."
        ),
        (
            f"{len(rows)} rows in results.csv stand for {len(trained)} fine-tunings ({hours:.1f} hours of processes):"
            " where two methods chose the same layers for a seed, they share one, and their difference for that seed"
            " is zero."
        ),
    ]
    if len(seeds) < 5:
        lines.append(
            f"With {len(seeds)} seed{'s' * (len(seeds) > 1)} intervals are wide: what is not told apart here may differ"
            " all the same, and random choices are usually averaged over five draws at least."
        )
    return lines


def _means(found: Sequence[Group], title: str, rows: Sequence[Row]) -> str:
    """A row per method, a column per budget: mean accuracy with its 95 % interval."""
    names = list(dict.fromkeys(name for group in found for name in group.methods))
    head = ["test accuracy, %", *(group.budget for group in found)]
    body = [[name, *(_mean(seed_means(group.of(name)).values()) for group in found)] for name in names]
    text = f"Mean over the seeds ± half of the 95 % interval (Student's t), by {title}.\n\n" + markdown_table(
        head, body
    )
    references = [
        f"{name} ({100 * share:.2f} % of the FLOPs)"
        f" {_mean(seed_means(row for row in rows if row.part == 'reference' and row.method == name).values())} %"
        for name, share in {row.method: row.share for row in rows if row.part == "reference"}.items()
    ]
    return text + (f"\n\nFor reference: {'; '.join(references)}." if references else "")


def _cost(found: Sequence[Group]) -> list[str]:
    """The cost achieved under each budget, and the number of choices that were topped up."""
    lines = []
    for group in found:
        shares = [100 * row.share for row in group.rows]
        least = min(group.rows, key=lambda row: row.share)
        text = f"- {group.budget} %: achieved {min(shares):.2f} to {max(shares):.2f} %"
        if max(shares) - min(shares) >= 0.005:
            text += f" ({least.method} has the least)"
        topped = sum(row.topped_up for row in group.rows)
        lines.append(
            text
            + (f"; {topped} of {len(group.rows)} choices were topped up" if topped else "; no choice was topped up")
        )
    return [
        "Achieved cost. Every choice keeps the budget. Topped up means: the choice left more of the budget unspent than"
        " others did, so layers returned to float, the most harmful first, or the most harmful one gave way to a"
        " smaller one that comes next in the method's order. network-slimming is a smaller float network, which has as"
        " its limit what the costliest choice keeps and comes as near to it as whole channels allow.\n\n"
        + "\n".join(lines)
    ]


def _how(part: str) -> str:
    names = " and ".join(f"`{name}`" for name in REFERENCES[part])
    return (
        f"Each of the others is compared with {names}, fixed beforehand, by the differences within seeds: mean"
        ' difference in percent points of test accuracy with its 95 % interval (Student\'s t, not adjusted). "Better"'
        ' and "worse" are by p-values after Holm\'s correction for the comparisons of one budget with one reference,'
        " below 0.05."
    )


def _verdicts(found: Sequence[Group], part: str) -> list[str]:
    lines = []
    for group in found:
        references = [name for name in REFERENCES[part] if name in group.methods and len(group.methods) > 1]
        lines += [_verdict(group, reference) for reference in references]
    return lines


def _verdict(group: Group, reference: str) -> str:
    better, worse, tied = winners(group, reference)
    where = f"**{group.budget} %" if group.part == "methods" else f"**{group.budget.capitalize()} binarization"
    text = f"{where}, against {reference}.** "
    if not better and not worse:
        text += f"Nothing can be told apart from {reference}."
    else:
        text += " ".join(
            f"{word}: {', '.join(f'{each.method} ({_difference(each)})' for each in each_group)}."
            for word, each_group in (("Better", better), ("Worse", worse))
            if each_group
        )
        text += f" {len(tied)} cannot be told apart from it." if tied else ""
    rows = [
        [each.method, _difference(each), f"{each.p:.3f}", f"{each.holm:.3f}", str(each.alike), each.verdict]
        for each in (*better, *worse, *tied)
    ]
    return (
        text + "\n\n" + markdown_table(["method", "difference", "p", "p after Holm", "same network, seeds", ""], rows)
    )


def _before(found: Sequence[Group]) -> str:
    names = list(dict.fromkeys(name for group in found for name in group.methods))
    body = [[name, *(_mean(100 * row.test_before for row in group.of(name)) for group in found)] for name in names]
    text = (
        "The same networks with batch-norm statistics re-estimated and nothing trained: what the scores of the methods"
        " look at.\n\n"
    )
    return text + markdown_table(["test accuracy, %", *(group.budget for group in found)], body)


def _acting_setting(found: Sequence[Group]) -> str:
    row = found[0].rows[0]
    shares = sorted({f"{100 * row.share:.1f}" for group in found for row in group.rows if group.budget == LEVELS[1]})
    return (
        f"In {row.model} of width {row.width}, whose blocks are activation -> convolution; in the Bi-Real layout a"
        f" binary layer has no activation but its sign. Nothing binary, MixBin's choice ({', '.join(shares)} % of the"
        " FLOPs), all eligible layers binary. Each activation has float parents of its own."
    )


def _mean(values: Iterable[float]) -> str:
    found = list(values)
    if not found:
        return "-"
    mean = interval(found)
    return f"{mean.mean:.1f} ± {mean.half_width:.1f}" if math.isfinite(mean.half_width) else f"{mean.mean:.1f}"


def _difference(each: Difference) -> str:
    width = each.interval.half_width
    return (
        f"{each.interval.mean:+.1f} ± {width:.1f}"
        if math.isfinite(width)
        else f"{each.interval.mean:+.1f}, no interval"
    )


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
