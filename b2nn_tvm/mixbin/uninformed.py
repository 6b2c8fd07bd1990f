"""Orders that look at no data: random, from the front, from the rear. The baselines that a method has to beat."""

from __future__ import annotations

import random as python_random
from collections.abc import Sequence

from b2nn_tvm.mixbin.sensitivity import Sensitivity


def random(names: Sequence[str], *, seed: int = 0) -> Sensitivity:
    """A random order, drawn by ``seed``; average over at least five of them before comparing."""
    source = python_random.Random(seed)
    return Sensitivity("random", {name: source.random() for name in names}, {}, None, f"seed {seed}")


def front(names: Sequence[str]) -> Sensitivity:
    """The layers nearest to the input first (MixBin's Front-BN)."""
    return Sensitivity("front", {name: float(index) for index, name in enumerate(names)}, {}, None, "network order")


def rear(names: Sequence[str]) -> Sensitivity:
    """The layers nearest to the output first (MixBin's Rear-BN)."""
    return Sensitivity("rear", {name: -float(index) for index, name in enumerate(names)}, {}, None, "network order")
