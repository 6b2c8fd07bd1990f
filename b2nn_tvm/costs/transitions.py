"""Costs that layers share, and the cheapest choice of layers under them.

    T(S) = fixed + sum_{i in S} binary_i + sum_{i not in S} float_i + sum_t cost_t * [S triggers t]

A shared cost is paid once, however many layers cause it. So T is submodular: a layer adds the less to the cost, the
more of its partners are binary or float already (Fujishige, Submodular Functions and Optimization, 2005).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from b2nn_tvm.errors import InputError

PRECISIONS = ("binary", "float")


@dataclass(frozen=True)
class Transition:
    """A cost that several layers share: paid once when any of ``layers`` has the precision ``when`` ("binary" or
    "float").

    A pack of signs, for instance, is paid once per tensor, whichever of its binary readers needs it; a float copy or a
    border is kept as soon as one reader stays float. ``reason`` says in words what is paid for. Raises InputError where
    no layer is named, or where the precision or the cost is none.
    """

    layers: tuple[str, ...]
    when: str
    cost: int | float | Fraction
    reason: str

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError(f"the shared cost {self.reason!r} names no layer; expected the layers that cause it")
        if self.when not in PRECISIONS:
            raise InputError(
                f"the shared cost {self.reason!r} is paid when a layer is {self.when!r}; expected binary or float"
            )
        if not math.isfinite(self.cost) or self.cost < 0:
            raise InputError(
                f"the shared cost {self.reason!r} is {self.cost}; expected a finite number, not below zero"
            )

    def is_paid(self, binary: Collection[str]) -> bool:
        """Whether the network with these binary layers, all others float, pays this cost."""
        return any((name in binary) == (self.when == "binary") for name in self.layers)


def cheapest_choice(
    float_cost: Mapping[str, int | float | Fraction],
    binary_cost: Mapping[str, int | float | Fraction],
    transitions: Sequence[Transition],
    *,
    including: Collection[str] = (),
) -> tuple[str, ...]:
    """The fewest binary layers with the least cost of all choices that have the layers ``including`` binary.

    The result is unique, because the cheapest choices of a submodular cost are closed under intersection. Time and
    memory double with each transition that is open at once, that is, whose layers have begun but not ended in the
    network's order.
    """
    # Dynamic programming over the layers in order: a state is the set of open transitions that are paid already.
    names = list(float_cost)
    ends = [max(names.index(name) for name in shared.layers) for shared in transitions]
    # By state: the cost so far in exact arithmetic, the number of binary layers, and these layers.
    best: dict[frozenset[int], tuple[Fraction, int, tuple[str, ...]]] = {frozenset(): (Fraction(0), 0, ())}
    for index, name in enumerate(names):
        touched = [number for number, shared in enumerate(transitions) if name in shared.layers]
        reached: dict[frozenset[int], tuple[Fraction, int, tuple[str, ...]]] = {}
        for paid, (total, count, chosen) in best.items():
            for word, own in (("float", float_cost[name]), ("binary", binary_cost[name])):
                if word == "float" and name in including:
                    continue
                due = [number for number in touched if transitions[number].when == word and number not in paid]
                cost = total + sum((Fraction(transitions[number].cost) for number in due), Fraction(own))
                state = frozenset(number for number in (*paid, *due) if ends[number] > index)
                found = (cost, count + 1, (*chosen, name)) if word == "binary" else (cost, count, chosen)
                if state not in reached or found[:2] < reached[state][:2]:
                    reached[state] = found
        best = reached
    return min(best.values(), key=lambda found: found[:2])[2]
