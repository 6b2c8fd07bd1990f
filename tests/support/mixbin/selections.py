"""Random selections of layers under a budget, and what brute force over all subsets says of them."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.footprint import Footprint
from b2nn_tvm.costs.transitions import Transition

SEEDS = range(6)


def instance(seed: int, layers: int = 10, *, kind: str = "int"):
    """Random scores (some negative) and costs; in some layers binary does not pay."""
    rng = random.Random(seed)
    draw = {
        "int": lambda high: rng.randint(0, high),
        "fraction": lambda high: Fraction(rng.randint(0, 64 * high), 64),
        "float": lambda high: rng.uniform(0, high),
    }[kind]
    names = [f"layer{i}" for i in range(layers)]
    float_cost = {name: draw(60) + 1 for name in names}
    binary_cost = {name: draw(30) for name in names}
    scores = {name: rng.gauss(0.3, 0.4) for name in names}
    return scores, AdditiveCost("ms", draw(20), float_cost, binary_cost)


def shared_instance(seed: int, layers: int = 8, *, kind: str = "int"):
    """A random instance with costs that several layers share, large enough to change what pays."""
    scores, cost = instance(seed, layers, kind=kind)
    return scores, replace(cost, transitions=shared_costs(cost, seed, kind=kind))


def crowded_instance(seed: int, layers: int = 8):
    """A random instance with shared costs in which weights take as much of the caches as some layers cost."""
    scores, cost = shared_instance(seed, layers, kind="float")
    draw = random.Random(300 + seed)
    weights = {name: draw.randint(1, 100) for name in cost.names}
    return scores, replace(cost, footprint=Footprint(weights, 0.3 * float(cost.full)))


def shared_costs(cost, seed: int, *, kind: str = "int", count: int = 5) -> tuple[Transition, ...]:
    """Random groups of one to four layers, paid for binary or for float layers."""
    rng = random.Random(100 + seed)
    draw = {
        "int": lambda: rng.randint(0, 40),
        "fraction": lambda: Fraction(rng.randint(0, 640), 16),
        "float": lambda: rng.uniform(0, 40),
    }[kind]
    return tuple(
        Transition(
            tuple(rng.sample(cost.names, rng.randint(1, min(4, len(cost.names))))),
            rng.choice(["binary", "float"]),
            draw(),
            f"shared {index}",
        )
        for index in range(count)
    )


def subsets(names):
    """All subsets of the names, each in their order."""
    for size in range(len(names) + 1):
        yield from itertools.combinations(names, size)


def least_harm(scores, limits, names, pairwise=()):
    """The least harm over all subsets of ``names`` that keep all (cost, limit) pairs; None where there is none."""
    harms = [
        math.fsum([scores[name] for name in chosen])
        + sum(term for pair, term in dict(pairwise).items() if set(pair) <= set(chosen))
        for chosen in subsets(names)
        if all(cost.total(chosen) <= limit for cost, limit in limits)
    ]
    return min(harms, default=None)


def reachable(cost, seed: int, count: int = 4):
    """The costs of random choices, as limits that are met exactly, and one just below each."""
    rng = random.Random(200 + seed)
    exact = [cost.total([name for name in cost.names if rng.random() < 0.6]) for _ in range(count)]
    below = [
        value - Fraction(1, 10**6) if not isinstance(value, float) else math.nextafter(value, 0) for value in exact
    ]
    return [limit for limit in (*exact, *below) if cost.minimum() <= limit]


def all_harms(scores, cost, limit, pairwise=()):
    """The harms of all subsets within the limit, the least first."""
    harms = []
    for size in range(len(cost.worthwhile) + 1):
        for chosen in itertools.combinations(cost.worthwhile, size):
            if cost.total(chosen) <= limit:
                pairs = sum(term for pair, term in dict(pairwise).items() if set(pair) <= set(chosen))
                harms.append(math.fsum(scores[name] for name in chosen) + pairs)
    return sorted(harms)


def brute_force(scores, cost, limit, pairwise=()):
    """The least harm over all subsets within the limit."""
    return all_harms(scores, cost, limit, pairwise)[0]


def limits(cost):
    low, full = Fraction(cost.minimum()), Fraction(cost.full)
    return [low + (full - low) * Fraction(step, 5) for step in range(6)]


def terms(cost, seed):
    rng = random.Random(seed)
    pairs = list(itertools.combinations(cost.names, 2))
    return {pair if rng.random() < 0.5 else pair[::-1]: rng.gauss(0, 0.5) for pair in rng.sample(pairs, 12)}
