"""Costs that layers share, and the cheapest choice of layers under them.

    T(S) = fixed + sum_{i in S} option_i + sum_{i not in S} float_i + sum_t cost_t * [S triggers t]

A shared cost is paid once, however many layers cause it. So between binary and float layers T is submodular: a layer
adds the less to the cost, the more of its partners are binary or float already (Fujishige, Submodular Functions and
Optimization, 2005).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.errors import InputError

PRECISIONS = ("float", *BITS)


@dataclass(frozen=True)
class Transition:
    """A cost that several layers share: paid once when any of ``layers`` has the precision ``when``.

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
                f"the shared cost {self.reason!r} is paid when a layer is {self.when!r}; expected"
                f" {', '.join(PRECISIONS)}"
            )
        if not math.isfinite(self.cost) or self.cost < 0:
            raise InputError(
                f"the shared cost {self.reason!r} is {self.cost}; expected a finite number, not below zero"
            )

    def is_paid(self, precisions: Mapping[str, str]) -> bool:
        """Whether the network whose layers have these precisions, all others being float, pays this cost."""
        return any(precisions.get(name, "float") == self.when for name in self.layers)


def cheapest_choice(
    float_cost: Mapping[str, int | float | Fraction],
    option_cost: Mapping[str, int | float | Fraction],
    transitions: Sequence[Transition],
    *,
    including: Collection[str] = (),
) -> tuple[str, ...]:
    """The fewest options with the least cost of all choices that have the options ``including``, in network order.

    ``float_cost`` is by layer, ``option_cost`` by option. Between binary and float layers the result is unique, because
    the cheapest choices of a submodular cost are closed under intersection. Time and memory double with each transition
    that is open at once, that is, whose layers have begun but not ended in the network's order.
    """
    # Dynamic programming over the layers in order: a state is the set of open transitions that are paid already.
    layers = list(float_cost)
    ends = [max(layers.index(name) for name in shared.layers) for shared in transitions]
    of: dict[str, list[str]] = {layer: [] for layer in layers}
    for each in option_cost:
        of[layer_of(each)].append(each)
    # By state: the cost so far in exact arithmetic, the number of options, and these options.
    best: dict[frozenset[int], tuple[Fraction, int, tuple[str, ...]]] = {frozenset(): (Fraction(0), 0, ())}
    for index, layer in enumerate(layers):
        touched = [number for number, shared in enumerate(transitions) if layer in shared.layers]
        wanted = [each for each in of[layer] if each in including]
        forms: list[tuple[str, Fraction, tuple[str, ...]]] = []
        forms += [] if wanted else [("float", Fraction(float_cost[layer]), ())]
        forms += [(precision_of(each), Fraction(option_cost[each]), (each,)) for each in wanted or of[layer]]
        reached: dict[frozenset[int], tuple[Fraction, int, tuple[str, ...]]] = {}
        for paid, (total, count, chosen) in best.items():
            for word, own, taken in forms:
                due = [number for number in touched if transitions[number].when == word and number not in paid]
                cost = total + sum((Fraction(transitions[number].cost) for number in due), own)
                state = frozenset(number for number in (*paid, *due) if ends[number] > index)
                found = (cost, count + len(taken), (*chosen, *taken))
                if state not in reached or found[:2] < reached[state][:2]:
                    reached[state] = found
        best = reached
    return min(best.values(), key=lambda found: found[:2])[2]
