"""What the chosen network is compared with: all float, all binary, and random choices at the same measured cost."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from b2nn_tvm.cost import AdditiveCost, Budget
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.networks import NetworkTime, measured
from b2nn_tvm.mixbin.select import select

TOLERANCE = 0.02  # of the chosen network's predicted time: what counts as the same cost
DRAWS = 500
PHASE = "measure random choices"


@dataclass(frozen=True)
class RandomChoice:
    """A random choice of layers, reproducible from its seed, and its measured time."""

    seed: int
    binary: tuple[str, ...]
    time: NetworkTime


@dataclass(frozen=True)
class Interval:
    """A mean with the half-width of its 95 % confidence interval (Student's t), of ``count`` values."""

    mean: float
    half_width: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of ``values`` and its 95 % interval; infinite for a single value."""
    from scipy.stats import t

    if len(values) < 2:
        return Interval(values[0], math.inf, len(values))
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return Interval(statistics.fmean(values), float(t.ppf(0.975, len(values) - 1)) * spread, len(values))


def random_choices(job: Job, cost: AdditiveCost, chosen: tuple[str, ...], count: int) -> list[RandomChoice]:
    """``count`` random choices whose predicted time is that of the chosen layers within 2 %, each measured.

    Layers are binarized in random order until the bound is kept; seeds are tried in order, and where too few of 500 are so
    close, the closest are taken.
    """
    target = float(cost.total(chosen))
    picks = _draw(cost, target, job.settings.seed, chosen)
    close = [pick for pick in picks if pick[0] <= TOLERANCE]
    picks = close[:count] if len(close) >= count else sorted(picks)[:count]
    found = []
    for index, (_, seed, binary) in enumerate(picks):
        job.progress(PHASE, index, len(picks))
        found.append(RandomChoice(seed, binary, measured(job, binary)))
    job.progress(PHASE, len(picks), len(picks))
    return found


def _draw(cost: AdditiveCost, target: float, first_seed: int, taken: tuple[str, ...]) -> list[tuple[float, int, tuple[str, ...]]]:
    """(relative distance to the target, seed, binary layers) of distinct random choices."""
    seen = {taken}
    picks = []
    for seed in range(first_seed, first_seed + DRAWS):
        draw = random.Random(seed)
        scores = {name: draw.random() for name in cost.names}
        bound = max(target * (1 + TOLERANCE), float(cost.minimum()))
        binary = select(scores, cost, Budget(bound, cost.unit)).binary
        if binary not in seen:
            seen.add(binary)
            picks.append((abs(float(cost.total(binary)) / target - 1), seed, binary))
    return picks
