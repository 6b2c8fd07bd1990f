"""Fronts beside one another: of all precisions that a search may choose from, and of those that one would use
otherwise, which are binary layers alone and int8 alone.

Every front is of the same measured networks and the same harms. The front of all precisions may have every choice that
another one may have, so that it is never worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.loop.front.measure_front import FrontPoint, mark_knee
from b2nn_tvm.loop.measuring.network_time import NetworkTime

ALONE = ("binary", "int8")  # what the paper does, and what every tool does
BUDGETS = 4  # of each front, where nobody says how many


@dataclass(frozen=True)
class PrecisionFront:
    """The ``points`` that no other measured choice of these ``precisions`` beats in time and in harm, the fastest
    first.
    """

    precisions: tuple[str, ...]
    points: tuple[FrontPoint, ...]

    @property
    def title(self) -> str:
        """The front in two words, such as "all precisions" or "int8 alone"."""
        return "all precisions" if len(self.precisions) > 2 else f"{self.precisions[0]} alone"

    def best_within(self, ms: float) -> FrontPoint | None:
        """The least harmful point within so many milliseconds, None where no choice is as fast."""
        return next((point for point in reversed(self.points) if point.ms <= ms), None)


def sets_of_precisions(precisions: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The sets of precisions that have fronts of their own: all first, then each of ALONE beside float; none where that
    leaves nothing to compare.
    """
    alone = [(word, "float") for word in ALONE if word in precisions]
    others = [words for words in alone if set(words) != set(precisions)]
    return (tuple(precisions), *others) if others else ()


def fronts_by_precision(
    scores: Mapping[str, float],
    networks: Iterable[NetworkTime],
    sets: Iterable[Sequence[str]],
    quantile: float | None,
) -> tuple[PrecisionFront, ...]:
    """The front of each set of precisions over all measured ``networks``; ``scores`` are those of options."""
    known = {time.binary: time for time in networks}
    found = []
    for words in sets:
        mine = [time for time in known.values() if {precision_of(each) for each in time.binary} <= set(words)]
        points: list[FrontPoint] = []
        harms = {time.binary: math.fsum(scores[each] for each in time.binary) for time in mine}
        for time in sorted(mine, key=lambda time: (time.at(quantile), harms[time.binary])):
            if not points or harms[time.binary] < points[-1].harm:
                low, high = (time.low_ms, time.high_ms) if quantile is None else (math.nan, math.nan)
                points.append(FrontPoint(time.binary, harms[time.binary], time.at(quantile), low, high))
        found.append(PrecisionFront(tuple(words), mark_knee(points)))
    return tuple(found)
