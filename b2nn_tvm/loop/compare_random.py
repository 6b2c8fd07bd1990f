"""The random choices that the chosen network is compared with, at the same measured cost."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.mixbin.selection.select import select

TOLERANCE = 0.03  # a time within this share of the chosen network's counts as the same cost
DRAWS = 200
PHASE = "measure random choices"


@dataclass(frozen=True)
class RandomChoice:
    """A random choice of layers, reproducible from its seed, and its measured time, ``ms`` of which count."""

    seed: int
    binary: tuple[str, ...]
    time: NetworkTime
    ms: float


@dataclass(frozen=True)
class Interval:
    """The mean of ``count`` values with the half-width of its 95 % confidence interval (Student's t)."""

    mean: float
    half_width: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of ``values`` and its 95 % interval; the interval of a single value is infinite."""
    from scipy.stats import t

    if len(values) < 2:
        return Interval(values[0], math.inf, len(values))
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return Interval(statistics.fmean(values), float(t.ppf(0.975, len(values) - 1)) * spread, len(values))


def random_choices(
    job: Job,
    cost: AdditiveCost,
    chosen: tuple[str, ...],
    chosen_ms: float,
    count: int,
    *,
    quantile: float | None = None,
) -> list[RandomChoice]:
    """``count`` random choices whose measured time is within 3 % of the chosen layers' ``chosen_ms``, undisturbed or
    at a ``quantile``.

    For each seed, layers are binarized in random order until the predicted time is about that of the chosen layers.
    Choices predicted within 3 % are measured first, in the order of their seeds, and at most ``3 * count`` in all;
    where fewer than ``count`` are measured within 3 %, the closest ones are taken.
    """
    picks = _draw(cost, float(cost.total(chosen)), job.settings.training.seed, chosen)
    found: list[RandomChoice] = []
    for first in range(0, 3 * count, count):
        close = [one for one in found if _distance(one, chosen_ms) <= TOLERANCE]
        job.progress(PHASE, len(close), count)
        if len(close) >= count:
            break
        next_picks = picks[first : first + count]
        times = measure_networks(job, [binary for _, binary in next_picks])
        found += [
            RandomChoice(seed, binary, time, time.at(quantile))
            for (seed, binary), time in zip(next_picks, times, strict=True)
        ]
    job.progress(PHASE, count, count)
    closest = sorted(found, key=lambda one: max(_distance(one, chosen_ms), TOLERANCE))[:count]
    return sorted(closest, key=lambda one: one.seed)


def _distance(one: RandomChoice, ms: float) -> float:
    return abs(one.ms / ms - 1)


def _draw(
    cost: AdditiveCost, target: float, first_seed: int, taken: tuple[str, ...]
) -> list[tuple[int, tuple[str, ...]]]:
    """(seed, binary layers) of distinct random choices; those predicted within the tolerance of ``target`` come
    first.
    """
    seen = {taken}
    picks = []
    for seed in range(first_seed, first_seed + DRAWS):
        draw = random.Random(seed)
        scores = {name: draw.random() for name in cost.names}
        bound = max(target * (1 + TOLERANCE / 2), float(cost.minimum()))
        binary = select(scores, cost, Budget(bound, cost.unit), solver="sort").binary
        if binary not in seen:
            seen.add(binary)
            picks.append((max(abs(float(cost.total(binary)) / target - 1), TOLERANCE), seed, binary))
    return [(seed, binary) for _, seed, binary in sorted(picks)]
