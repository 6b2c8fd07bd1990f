"""Random selections of layers under a budget, and what brute force over all subsets says of them."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

from b2nn_tvm.costs.additive import AdditiveCost

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
