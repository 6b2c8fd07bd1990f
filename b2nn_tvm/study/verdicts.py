"""What the rows say of a hypothesis: each comparison with its interval, and one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.study.fronts.within import mean_ms, within_by_seed
from b2nn_tvm.study.hypotheses import Comparison, Hypothesis, Of
from b2nn_tvm.study.paired import paired
from b2nn_tvm.study.table import Row, seed_means

HOLDS, REFUTED, OPEN, UNKNOWN = "holds", "does not hold", "is not decided", "has not been tested"
SLOWER = "cannot be compared"


@dataclass(frozen=True)
class Finding:
    """The difference of one comparison in percent points, paired by seed, with its 95 % interval.

    ``interval`` is None where no seed has both networks; ``slower`` names the fronts of which no network is as fast.
    """

    comparison: Comparison
    interval: Interval | None
    slower: tuple[Of, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the whole interval is above the bound, all of it below, or neither."""
        if self.interval is None:
            return SLOWER if self.slower else UNKNOWN
        mean, width = self.interval.mean, self.interval.half_width
        if not math.isfinite(width):
            return OPEN
        bound = self.comparison.above
        return HOLDS if mean - width > bound else REFUTED if mean + width < bound else OPEN

    def __str__(self) -> str:
        return f"{self.comparison}: {self.found}"

    @property
    def found(self) -> str:
        """The difference in words, or why there is none."""
        if self.interval is not None:
            return points(self.interval)
        return f"{' and '.join(map(str, self.slower))} has no network as fast" if self.slower else "-"


@dataclass(frozen=True)
class Judgement:
    """The findings of all comparisons of a hypothesis."""

    hypothesis: Hypothesis
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """A claim holds if every comparison does, and does not hold if one of them is refuted.

        Fronts that have no network as fast are not compared.
        """
        found = {each.verdict for each in self.findings} - {SLOWER}
        if found <= {UNKNOWN}:
            return UNKNOWN
        return REFUTED if REFUTED in found else HOLDS if found == {HOLDS} else OPEN

    @property
    def sentence(self) -> str:
        """The verdict with the differences that decide it, as one sentence."""
        if self.verdict == UNKNOWN:
            return "The claim has not been tested yet."
        deciding = [each for each in self.findings if each.verdict == self.verdict]
        missing = sum(each.verdict == UNKNOWN for each in self.findings)
        rest = f"; {missing} of {len(self.findings)} comparisons are not there yet" if missing else ""
        return f"The claim {self.verdict}: {'; '.join(map(str, deciding or self.findings))}{rest}."


def judge(hypothesis: Hypothesis, rows: Sequence[Row]) -> Judgement:
    """Compare what the rows of this hypothesis have, by accuracy on the test set."""
    own = [row for row in rows if row.hypothesis == str(hypothesis.number)]

    def finding(comparison: Comparison) -> Finding:
        ms = None if comparison.at is None else mean_ms(rows_of(own, comparison.at))
        if comparison.at is not None and ms is None:
            return Finding(comparison, None)
        first, second = by_seed(own, comparison.first, ms), by_seed(own, comparison.second, ms)
        if set(first) & set(second):
            return Finding(comparison, paired(first, second)[0])
        both = ((comparison.first, first), (comparison.second, second))
        slower = () if ms is None else tuple(of for of, found in both if rows_of(own, of) and not found)
        return Finding(comparison, None, slower)

    return Judgement(hypothesis, tuple(map(finding, hypothesis.comparisons)))


def rows_of(rows: Sequence[Row], of: Of) -> list[Row]:
    """The rows of a part, method and budget, or of a front."""
    return [row for row in rows if (row.part, row.method) == (of.part, of.method) and of.budget in ("", row.budget)]


def by_seed(rows: Sequence[Row], of: Of, ms: float | None = None) -> Mapping[int, float]:
    """The mean test accuracy in percent over the draws of each seed; of a front, that within ``ms`` milliseconds."""
    own = rows_of(rows, of)
    return seed_means(own) if ms is None else within_by_seed(own, ms)


def points(found: Interval) -> str:
    """A difference in percent points with its interval."""
    if not math.isfinite(found.half_width):
        return f"{found.mean:+.1f} points (one seed, no interval)"
    return f"{found.mean:+.1f} points ({found.mean - found.half_width:+.1f} to {found.mean + found.half_width:+.1f})"
