"""The cost that selection works with: fixed + sum over layers of (binary or float) cost, and what layers do to each
other: costs that they share (costs/transitions.py), and what their weights take of the caches (costs/footprint.py).

Where layers have more than two precisions, a choice is of options (costs/options.py).

FLOPs and bytes are exact integers or fractions (costs/counted.py); milliseconds are floats measured on a device
(costs/table.py) and fitted to whole networks (costs/fit.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from b2nn_tvm.costs.budget import Number
from b2nn_tvm.costs.footprint import Footprint
from b2nn_tvm.costs.options import layer_of, option, precision_of, precisions_of
from b2nn_tvm.costs.transitions import Transition, cheapest_choice
from b2nn_tvm.errors import InputError

_BISECTIONS = 20


@dataclass(frozen=True)
class AdditiveCost:
    """A network's cost as a sum, in ``unit``: ``fixed``, the float cost of each eligible layer or that of its chosen
    option, the ``transitions``, and what is paid for the ``footprint``.

    ``binary_cost`` has the cost of each option: of the name of a layer where it is binary, of others where layers may
    have other precisions.

    ``fixed_parts`` names the largest parts of ``fixed`` (layers that always stay float), for messages only. Raises
    InputError where a cost is missing, below zero or not finite, and where a transition or the footprint names an
    unknown layer.
    """

    unit: str
    fixed: Number
    float_cost: Mapping[str, Number]
    binary_cost: Mapping[str, Number]
    fixed_parts: Mapping[str, Number] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()
    footprint: Footprint | None = None

    def __post_init__(self) -> None:
        of_options = {layer_of(option) for option in self.binary_cost}
        if set(self.float_cost) != of_options:
            differing = sorted(set(self.float_cost) ^ of_options)
            raise InputError(f"every layer needs a float and a binary cost; one is missing for {', '.join(differing)}")
        for name, value in [("the fixed part", self.fixed), *self.float_cost.items(), *self.binary_cost.items()]:
            if not math.isfinite(value) or value < 0:
                raise InputError(
                    f"the cost in {self.unit} of {name} is {value}; expected a finite number, not below zero"
                )
        object.__setattr__(self, "transitions", tuple(self.transitions))
        for shared in self.transitions:
            self._check(shared.layers, self.float_cost)
        if self.footprint is not None:
            self._check(self.footprint.weights, self.float_cost)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The options, in network order: the eligible layers, where these are binary or float."""
        place = {layer: index for index, layer in enumerate(self.float_cost)}
        return tuple(sorted(self.binary_cost, key=lambda option: place[layer_of(option)]))

    @property
    def has_alternatives(self) -> bool:
        """Whether a layer has several options, of which a choice has at most one."""
        return len(self.binary_cost) > len(self.float_cost)

    @cached_property
    def cheapest(self) -> tuple[str, ...]:
        """The option of each layer that costs least, where it costs less than float; shared costs do not count."""
        best: dict[str, str] = {}
        for name in self.names:
            known = best.get(layer_of(name))
            if self.saving(name) > (0 if known is None else self.saving(known)):
                best[layer_of(name)] = name
        return tuple(best.values())

    @property
    def fewest_bits(self) -> tuple[str, ...]:
        """All layers in an option: the only one that each of them has, else the cheapest ones."""
        return self.cheapest if self.has_alternatives else self.names

    @property
    def full(self) -> Number:
        """The cost with every layer float."""
        return self.total(())

    @cached_property
    def worthwhile(self) -> tuple[str, ...]:
        """The layers that may be worth binarizing: leaving any other one float makes no choice dearer.

        Without transitions and footprint these are the layers whose binary form is cheaper than their float form.
        """
        return self.worthwhile_with(())

    def worthwhile_with(self, binary: Collection[str]) -> tuple[str, ...]:
        """These binary layers and those that may be worth binarizing beside them, in network order.

        Each layer counts with the most that its becoming binary can save; under these costs the answer is the cheapest
        choice, of the fewest layers where several are equally cheap. Where layers have several options, these are all
        that may save anything, with the most that is shared.
        """
        self._check(binary, self.names)
        most = self.footprint.most_spared(self.names) if self.footprint else {}
        if not self.has_alternatives:
            dearer = {layer_of(name): saved for name, saved in most.items()}
            return self._cheapest(dearer, {}, including=binary)
        given, spared = set(binary), dict.fromkeys(self.float_cost, Fraction(0))
        for shared in self.transitions:
            for layer in set(shared.layers) if shared.when == "float" else ():
                spared[layer] += Fraction(shared.cost)
        may = {name: self.saving(name) + most.get(name, 0) + spared[layer_of(name)] for name in self.names}
        return tuple(name for name in self.names if name in given or may[name] > 0)

    def saving(self, name: str) -> Number:
        """The layer's float cost less the cost of this option, without transitions and footprint; below zero where the
        option is dearer.
        """
        return self.float_cost[layer_of(name)] - self.binary_cost[name]

    def total(self, binary: Collection[str]) -> Number:
        """The cost of a choice; exact where all terms are integers or fractions, else rounded once.

        Raises InputError for an unknown option, and for two options of one layer.
        """
        chosen = set(binary)
        self._check(chosen, self.names)
        precisions = precisions_of(chosen)
        taken = {layer: option(layer, precision) for layer, precision in precisions.items()}
        terms = [self.fixed]
        terms += [self.binary_cost[taken[n]] if n in taken else self.float_cost[n] for n in self.float_cost]
        terms += [shared.cost for shared in self.transitions if shared.is_paid(precisions)]
        if self.footprint is not None:
            terms.append(self.footprint.paid(chosen))
        exact = [term for term in terms if not isinstance(term, float)]
        if len(exact) < len(terms):
            return math.fsum(terms)
        total = sum(exact, Fraction(0))
        return total.numerator if total.denominator == 1 else total

    def minimum(self) -> Number:
        """The least cost that any choice of layers reaches."""
        return self._minimum

    @cached_property
    def _minimum(self) -> Number:
        """What the footprint costs is replaced by its tangent at a share, which is never above it, and the share is
        moved until the cheapest choice has it. Where no choice has it, those on the way are improved layer by layer,
        and the best of them counts.
        """
        if self.footprint is None:
            return self.total(self._cheapest({}, {}))
        low, high, share = 0.0, 1.0, 0.0
        least: dict[tuple[str, ...], Number] = {}
        for _ in range(_BISECTIONS):
            layers = {layer: self.footprint.slope(layer, "float", share) for layer in self.float_cost}
            options = {n: self.footprint.slope(layer_of(n), precision_of(n), share) for n in self.names}
            chosen = self._cheapest(layers, options)
            found = self.footprint.filled(chosen)
            if found == share:
                return self.total(chosen)
            if chosen not in least:
                least[chosen] = self._descend(chosen)
            low, high = (share, high) if found > share else (low, share)
            share = (low + high) / 2
        return min(least.values())

    def _descend(self, binary: Collection[str]) -> Number:
        """The cost where changing any one layer makes the choice no cheaper, from these binary layers on."""
        chosen, least = set(binary), self.total(binary)
        while True:
            changed = min((self._changed(chosen, name) for name in self.names), key=self.total)
            if self.total(changed) >= least:
                return least
            chosen, least = changed, self.total(changed)

    @staticmethod
    def _changed(chosen: set[str], name: str) -> set[str]:
        """The choice with the layer of this option float where it has it, else in this option."""
        if name in chosen:
            return chosen - {name}
        return {each for each in chosen if layer_of(each) != layer_of(name)} | {name}

    def _cheapest(
        self, layers: Mapping[str, float], options: Mapping[str, float], *, including: Collection[str] = ()
    ) -> tuple[str, ...]:
        """The cheapest choice with these amounts on top of the costs of float layers and of options, and without the
        footprint.
        """
        float_cost = {name: cost + layers.get(name, 0) for name, cost in self.float_cost.items()}
        option_cost = {name: self.binary_cost[name] + options.get(name, 0) for name in self.names}
        return cheapest_choice(float_cost, option_cost, self.transitions, including=including)

    @staticmethod
    def _check(names: Collection[str], known: Collection[str]) -> None:
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise InputError(f"no cost is known for {', '.join(unknown)}; the layers are {', '.join(known)}")
