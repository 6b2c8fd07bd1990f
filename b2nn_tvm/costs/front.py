"""The exact front of an additive cost: how much of a network must become binary for each cost.

Each layer has a saving and a weight (its multiply-accumulates). A choice is on the front where no other choice saves
as much with less weight. The front of n layers follows from that of n - 1 (Nemhauser and Ullmann, 1969): every choice
with and without the new layer, less those that another one dominates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

POINTS = 1 << 16  # a longer front is thinned out, which moves its weights by less than the 65536th part


@dataclass(frozen=True)
class Choice:
    """The layers ``binary``, which together save ``saving`` and weigh ``weight``."""

    binary: tuple[str, ...]
    saving: float
    weight: int


def front(savings: Mapping[str, float], weights: Mapping[str, int], *, steps: int = 20) -> tuple[Choice, ...]:
    """The choices that save the most among all that weigh at most 0, 1, ... ``steps`` / ``steps`` of all weights.

    ``savings`` and ``weights`` have the same names; layers of no saving are in no choice. Choices come in the order of
    their weights, each once.
    """
    names = [name for name, saving in savings.items() if saving > 0]
    weight, saving = np.zeros(1, np.int64), np.zeros(1)
    history: list[tuple[np.ndarray, np.ndarray]] = []
    total = sum(weights.values())
    for name in names:
        both_weights = np.concatenate([weight, weight + weights[name]])
        both_savings = np.concatenate([saving, saving + savings[name]])
        order = np.lexsort((-both_savings, both_weights))
        kept = order[_records(both_savings[order])]
        if len(kept) > POINTS:  # the last of each bucket saves the most
            buckets = both_weights[kept] * POINTS // max(1, total)
            kept = kept[np.append(buckets[1:] != buckets[:-1], True)]
        history.append((kept % len(weight), kept >= len(weight)))
        weight, saving = both_weights[kept], both_savings[kept]
    limits = [total * step // steps for step in range(steps + 1)]
    places = sorted({int(np.searchsorted(weight, limit, side="right")) - 1 for limit in limits})
    return tuple(_choice(place, names, history, savings, weights) for place in places if place >= 0)


def _records(values: np.ndarray) -> np.ndarray:
    """The places of values that are larger than all before."""
    before = np.concatenate([[-np.inf], np.maximum.accumulate(values)[:-1]])
    return np.flatnonzero(values > before)


def _choice(
    place: int,
    names: list[str],
    history: list[tuple[np.ndarray, np.ndarray]],
    savings: Mapping[str, float],
    weights: Mapping[str, int],
) -> Choice:
    chosen = []
    for name, (parents, taken) in zip(reversed(names), reversed(history)):
        if taken[place]:
            chosen.append(name)
        place = parents[place]
    binary = tuple(reversed(chosen))
    return Choice(binary, sum(savings[name] for name in binary), sum(weights[name] for name in binary))
