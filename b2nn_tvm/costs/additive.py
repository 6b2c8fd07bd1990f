"""Budgets, and the additive cost that selection works with: fixed + sum over layers of (binary or float) cost, and the
costs that layers share (costs/transitions.py).

FLOPs and bytes are exact integers or fractions; milliseconds are floats measured on a device (costs/table.py) and
fitted to whole networks (costs/fit.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Protocol

from b2nn_tvm.costs.transitions import Transition, cheapest_choice, dearest_choice
from b2nn_tvm.errors import InputError
from b2nn_tvm.workload import ConvWorkload

Number = int | float | Fraction

UNITS = {
    "ms": {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)},
    "flops": {"flops": Fraction(1), "kflops": Fraction(10**3), "mflops": Fraction(10**6), "gflops": Fraction(10**9)},
    "bytes": {
        "b": Fraction(1),
        "bytes": Fraction(1),
        "kb": Fraction(10**3),
        "mb": Fraction(10**6),
        "kib": Fraction(2**10),
        "mib": Fraction(2**20),
    },
}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_EXAMPLES = "12ms, 12ms@p90, 800us, 40%ms, 1.5MFLOPs, 40%flops, 300KiB or 40%bytes"


@dataclass(frozen=True)
class Budget:
    """An upper bound on a cost; ``value`` is in ``unit`` ("ms", "flops", "bytes"), or in percent of the float network's
    cost.

    ``quantile`` is the share of the observed times, 0.5, 0.9 or 0.99, that have to be within a bound in milliseconds;
    None bounds the time that the network needs when nothing disturbs it. Raises InputError for another quantile, and
    for a quantile of anything but milliseconds.
    """

    value: Number
    unit: str
    relative: bool = False
    quantile: float | None = None

    def __post_init__(self) -> None:
        if self.quantile is None:
            return
        if self.unit != "ms":
            raise InputError(
                f"a quantile is of observed times, so it needs a budget in milliseconds such as 12ms@p90, not one in"
                f" {self.unit}"
            )
        if self.quantile not in QUANTILES.values():
            raise InputError(
                f"a budget's quantile is one of {', '.join(f'@{word}' for word in QUANTILES)}, not {self.quantile}"
            )

    def limit(self, cost: AdditiveCost) -> Number:
        """The bound in the cost's own unit; raises InputError where the units differ."""
        if cost.unit != self.unit:
            raise InputError(f"the budget {self} is in {self.unit}, but the cost model counts {cost.unit}")
        return Fraction(self.value) / 100 * Fraction(cost.full) if self.relative else self.value

    def __str__(self) -> str:
        quantile = "" if self.quantile is None else f"@{quantile_word(self.quantile)}"
        return f"{float(self.value):.10g}{'%' * self.relative}{self.unit}{quantile}"


def quantile_word(quantile: float) -> str:
    """The word for a quantile of observed times, such as "p90" for 0.9."""
    return next(word for word, share in QUANTILES.items() if share == quantile)


def parse_budget(text: str) -> Budget:
    """The budget in a text such as "12ms", "12ms@p90", "40%flops" or "300KiB".

    Raises InputError, which lists the units, where the text is not a positive number with a unit, and for a quantile
    that is none or not of milliseconds.
    """
    match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(%?)\s*([a-z]*)\s*(@\S*)?\s*", str(text).lower())
    if not match:
        raise InputError(f"budget {text!r}: expected a positive number and a unit, such as {_EXAMPLES}")
    number, percent, word = Fraction(match[1]), bool(match[2]), match[3]
    if not word:
        raise InputError(f"budget {text!r} has no unit; write it as {_EXAMPLES}")
    if number == 0:
        raise InputError(f"budget {text!r}: expected a number above zero, such as {_EXAMPLES}")
    quantile = None
    if match[4]:
        quantile = QUANTILES.get(match[4][1:])
        if quantile is None:
            raise InputError(
                f"budget {text!r}: unknown quantile {match[4]!r}; write one of"
                f" {', '.join(f'@{each}' for each in QUANTILES)} behind milliseconds, such as 12ms@p90"
            )
    if percent:
        if word not in UNITS:
            raise InputError(f"budget {text!r}: a percentage is of one of {', '.join(UNITS)}; {word!r} is none of them")
        return Budget(number, word, relative=True, quantile=quantile)
    for unit, factors in UNITS.items():
        if word in factors:
            return Budget(number * factors[word], unit, quantile=quantile)
    known = ", ".join(name for factors in UNITS.values() for name in factors)
    raise InputError(
        f"budget {text!r}: unknown unit {word!r}; the units are {known}, or a percentage of {', '.join(UNITS)}"
    )


@dataclass(frozen=True)
class AdditiveCost:
    """A network's cost as a sum, in ``unit``: ``fixed``, the float or the binary cost of each eligible layer, and the
    ``transitions``.

    ``fixed_parts`` names the largest parts of ``fixed`` (layers that always stay float), for messages only. Raises
    InputError where a cost is missing, below zero or not finite, and where a transition names an unknown layer.
    """

    unit: str
    fixed: Number
    float_cost: Mapping[str, Number]
    binary_cost: Mapping[str, Number]
    fixed_parts: Mapping[str, Number] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()

    def __post_init__(self) -> None:
        if set(self.float_cost) != set(self.binary_cost):
            differing = sorted(set(self.float_cost) ^ set(self.binary_cost))
            raise InputError(f"every layer needs a float and a binary cost; one is missing for {', '.join(differing)}")
        for name, value in [("the fixed part", self.fixed), *self.float_cost.items(), *self.binary_cost.items()]:
            if not math.isfinite(value) or value < 0:
                raise InputError(
                    f"the cost in {self.unit} of {name} is {value}; expected a finite number, not below zero"
                )
        object.__setattr__(self, "transitions", tuple(self.transitions))
        for shared in self.transitions:
            self._check(shared.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """The eligible layers, in network order."""
        return tuple(self.float_cost)

    @property
    def full(self) -> Number:
        """The cost with every layer float."""
        return self.total(())

    @cached_property
    def worthwhile(self) -> tuple[str, ...]:
        """The layers of the cheapest choice (the one with the fewest layers, where several are equally cheap).

        No other layer is ever worth binarizing: leaving it float makes no choice dearer. Without transitions these are
        the layers whose binary form is cheaper than their float form.
        """
        return self.cheapest()

    def cheapest(self, including: Collection[str] = ()) -> tuple[str, ...]:
        """The fewest binary layers with the least cost, in network order, where the layers ``including`` are binary."""
        self._check(including)
        return cheapest_choice(self.float_cost, self.binary_cost, self.transitions, including=including)

    def saving(self, name: str) -> Number:
        """The layer's float cost less its binary cost, without transitions; below zero where binary is dearer."""
        return self.float_cost[name] - self.binary_cost[name]

    def total(self, binary: Collection[str]) -> Number:
        """The cost with these layers binary; exact where all terms are integers or fractions, else rounded once."""
        chosen = set(binary)
        self._check(chosen)
        terms = [self.fixed] + [(self.binary_cost if n in chosen else self.float_cost)[n] for n in self.names]
        terms += [shared.cost for shared in self.transitions if shared.is_paid(chosen)]
        exact = [term for term in terms if not isinstance(term, float)]
        if len(exact) < len(terms):
            return math.fsum(terms)
        total = sum(exact, Fraction(0))
        return total.numerator if total.denominator == 1 else total

    def minimum(self) -> Number:
        """The least cost that any choice of layers reaches."""
        return self.total(self.worthwhile)

    def maximum(self) -> Number:
        """The largest cost that any choice of layers reaches."""
        return self.total(dearest_choice(self.float_cost, self.binary_cost, self.transitions))

    def _check(self, names: Collection[str]) -> None:
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise InputError(f"no cost is known for {', '.join(unknown)}; the layers are {', '.join(self.names)}")


class Layer(Protocol):
    """The properties of a traced layer from which ``flops_cost`` and its like build a cost."""

    @property
    def name(self) -> str: ...
    @property
    def workload(self) -> ConvWorkload | None: ...
    @property
    def eligible(self) -> bool: ...


def flops_cost(layers: Sequence[Layer], *, total: int) -> AdditiveCost:
    """The cost in FLOPs, where ``total`` is the float network's number; a binary convolution counts MACs/64 (MixBin,
    section 4).

    Quotients are rounded up. Batch norm, biases and all other parts of ``total`` stay in the fixed part.
    """
    macs = {layer.name: layer.workload.macs for layer in layers if layer.workload}
    return _exact("flops", total, layers, macs, {name: -(-count // 64) for name, count in macs.items()})


def bytes_cost(layers: Sequence[Layer], *, total: int) -> AdditiveCost:
    """The cost in bytes of stored parameters, where ``total`` is the float network's number.

    A float weight takes 4 bytes. A convolution of binary weights takes ceil(channels/8) bytes per tap and filter, and a
    4-byte scale per output channel, whether its input is binary or float.
    """
    float_cost = {layer.name: 4 * layer.workload.weights for layer in layers if layer.workload}
    binary_cost = {layer.name: _binary_bytes(layer.workload) for layer in layers if layer.workload}
    return _exact("bytes", total, layers, float_cost, binary_cost)


def _binary_bytes(workload: ConvWorkload) -> int:
    per_tap = -(-(workload.in_channels // workload.groups) // 8)
    return workload.out_channels * (math.prod(workload.kernel) * per_tap + 4)


def _exact(
    unit: str, total: int, layers: Sequence[Layer], float_cost: Mapping[str, int], binary_cost: Mapping[str, Number]
) -> AdditiveCost:
    eligible = [layer.name for layer in layers if layer.eligible]
    fixed = total - sum(float_cost[name] for name in eligible)
    if fixed < 0:
        raise InputError(f"the network's total of {total} {unit} is less than the sum over its eligible layers")
    return AdditiveCost(
        unit,
        fixed,
        {name: float_cost[name] for name in eligible},
        {name: binary_cost[name] for name in eligible},
        {name: cost for name, cost in float_cost.items() if name not in eligible},
    )
