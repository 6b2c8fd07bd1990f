"""All choices of layers whose time a search has measured, with their harm: what its front is drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.loop.results.result import SearchResult


@dataclass(frozen=True)
class MeasuredChoice:
    """One choice: its ``kind`` ("candidate", "front", "flops", "mixed", the delivered one, or the precision of all
    layers that may have it), its milliseconds with their 95 % interval, NaN where that is not known, and its summed
    harm.
    """

    kind: str
    binary: tuple[str, ...]
    ms: float
    low_ms: float
    high_ms: float
    harm: float


def measured_choices(result: SearchResult) -> list[MeasuredChoice]:
    """The choices of the result, those of one kind behind one another; none where no scores say what harm is."""
    if not result.rounds or math.isnan(result.rounds[-1].harm) or result.measured_ms is None:
        return []

    def one(kind: str, binary: tuple[str, ...], ms: float, low: float = math.nan, high: float = math.nan) -> None:
        found.append(MeasuredChoice(kind, binary, ms, low, high, sum(result.scores[name] for name in binary)))

    found: list[MeasuredChoice] = []
    observed = result.quantile is not None  # which has no interval
    for attempt in result.attempts:
        one("candidate", attempt.binary, attempt.measured_ms)
    beside = [point for each in result.fronts for point in each.points]
    for point in {point.binary: point for point in (*beside, *result.front)}.values():
        one("front", point.binary, point.ms, point.low_ms, point.high_ms)
    for time in result.ends:
        interval = () if observed else (time.low_ms, time.high_ms)
        kind = precision_of(time.binary[0]) if time.binary else "float"
        one(kind, time.binary, time.at(result.quantile), *interval)
    if result.by_flops is not None:
        one("flops", result.by_flops.binary, result.by_flops.measured_ms)
    interval = () if observed or result.time is None else (result.time.low_ms, result.time.high_ms)
    one("mixed", result.row.binary, result.measured_ms, *interval)
    return found


def undominated(choices: Sequence[MeasuredChoice]) -> list[MeasuredChoice]:
    """The choices than which no other one is both faster and less harmful, the fastest first (the Pareto front)."""
    best: list[MeasuredChoice] = []
    for each in sorted(choices, key=lambda each: (each.ms, each.harm)):
        if not best or each.harm < best[-1].harm:
            best.append(each)
    return best
