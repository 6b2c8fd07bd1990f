"""Interleaved timing: engines take turns, so that a change of the machine's speed meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

WARMUP_SECONDS = 0.2


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    min_ms: float
    median_ms: float
    runs: int


def interleave(calls: Mapping[str, Callable[[], object]], *, rounds: int = 15, seconds: float = 0.05) -> dict[str, Timing]:
    """Time each call: ``rounds`` turns of about ``seconds`` each, every single call clocked."""
    repeats = {}
    for name, call in calls.items():
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < WARMUP_SECONDS:
            call()
            count += 1
        repeats[name] = max(3, int(count * seconds / WARMUP_SECONDS))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(repeats[name]):
                start = time.perf_counter()
                call()
                samples[name].append((time.perf_counter() - start) * 1e3)
    return {name: Timing(min(times), median(times), len(times)) for name, times in samples.items()}
