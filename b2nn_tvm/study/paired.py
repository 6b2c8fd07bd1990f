"""Paired comparisons over seeds: mean differences with Student's intervals, and Holm's correction for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.loop.compare_random import Interval, interval

LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """The accuracy of ``method`` less that of ``reference``, paired by seed: the mean with its 95 % interval, the
    p-value of Student's paired test, and the p-value after Holm's correction.

    ``alike`` is the number of seeds in which both are the same network. Where all seeds differ by the same non-zero
    amount the spread is not known: the interval is infinite, and p is 1.
    """

    method: str
    reference: str
    interval: Interval
    p: float
    holm: float
    alike: int

    @property
    def verdict(self) -> str:
        """ "better" or "worse" by Holm's p-value at 5 %, else "not told apart"."""
        if self.holm >= LEVEL:
            return "not told apart"
        return "better" if self.interval.mean > 0 else "worse"


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[Interval, float]:
    """The mean of first - second over common seeds, its 95 % interval, and the two-sided p-value of Student's t."""
    from scipy.stats import t

    seeds = sorted(set(first) & set(second))
    # Shares of right answers are ratios of whole numbers: the rounding of their differences is no spread.
    differences = [round(first[seed] - second[seed], 12) for seed in seeds]
    found = interval(differences)
    if len(differences) > 1 and len(set(differences)) == 1:
        same = differences[0] == 0
        return Interval(differences[0], 0.0 if same else math.inf, len(seeds)), 1.0
    if len(differences) < 2:
        return found, 1.0
    standard_error = found.half_width / float(t.ppf(1 - LEVEL / 2, len(seeds) - 1))
    return found, float(2 * t.sf(abs(found.mean) / standard_error, len(seeds) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm, Scandinavian Journal of Statistics 6, 1979), in their order."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def compare(
    accuracies: Mapping[str, Mapping[int, float]],
    reference: str,
    *,
    trainings: Mapping[str, Mapping[int, str]] | None = None,
) -> list[Difference]:
    """The difference of every other method from ``reference``; both mappings are by method and seed."""
    others = [name for name in accuracies if name != reference and set(accuracies[name]) & set(accuracies[reference])]
    pairs = [paired(accuracies[name], accuracies[reference]) for name in others]
    corrected = holm([p for _, p in pairs])

    def alike(name: str) -> int:
        if trainings is None:
            return 0
        return sum(trainings[name].get(seed) == word for seed, word in trainings[reference].items())

    return [
        Difference(name, reference, found, p, adjusted, alike(name))
        for name, (found, p), adjusted in zip(others, pairs, corrected, strict=True)
    ]
