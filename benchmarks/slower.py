"""The test whether one of two calls, timed in alternating turns, is slower than the other beyond the noise.

Each round gives one comparison, of the minima of the two turns. A call is slower if its time is larger by more than
``least`` in the median of the rounds, and if it is slower in so many rounds that equal speeds would show it less than
once in a thousand times (one-sided sign test: 14 of 15, 10 of 10). Fewer than ten rounds show nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from rounds import Timing

CHANCE = 1e-3


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is the median over the rounds of after / before; ``worse`` counts the rounds in which after was
    slower.
    """

    ratio: float
    worse: int
    rounds: int
    least: float

    @property
    def slower(self) -> bool:
        return self.ratio > 1 + self.least and chance_of(self.worse, self.rounds) < CHANCE


def compare(before: Timing, after: Timing, *, least: float) -> Comparison:
    """Compare two timings of the same rounds."""
    ratios = [min(b) / min(a) for a, b in zip(before.turns_ms, after.turns_ms, strict=True)]
    return Comparison(median(ratios), sum(ratio > 1 for ratio in ratios), len(ratios), least)


def summary(what: str, found: Sequence[str], *, least: float, rounds: int) -> str:
    """One sentence that names the slower cases and the criterion, or says that there were too few rounds to tell."""
    if chance_of(rounds, rounds) >= CHANCE:
        return f"{what}: {rounds} rounds are too few to tell."
    needed = next(count for count in range(rounds + 1) if chance_of(count, rounds) < CHANCE)
    criterion = f"by more than {least:.0%} in the median of {rounds} rounds, and in {needed} of them or more"
    return f"{what}: {', '.join(found) or 'none'} ({criterion}, which is chance less than once in 1000)."


def chance_of(heads: int, tosses: int) -> float:
    """The probability of at least this number of heads in fair coin tosses."""
    return sum(comb(tosses, k) for k in range(heads, tosses + 1)) / 2**tosses
