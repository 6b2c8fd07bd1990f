"""The limits that a choice of layers must keep at once, which layers are worth a thought under them, and refusals."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, Number
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.errors import BudgetError, InputError

Constraint = tuple[AdditiveCost, Budget | Number]


@dataclass(frozen=True)
class Limit:
    """A cost that must be at most ``value``, in the cost's unit."""

    cost: AdditiveCost
    value: Number

    def keeps(self, binary: Collection[str]) -> bool:
        """Whether the network with these binary layers is within the limit, in the cost's own arithmetic."""
        return self.cost.total(binary) <= self.value

    def __str__(self) -> str:
        return f"{float(self.value):.6g} {self.cost.unit}"


def limits_of(constraints: Sequence[Constraint]) -> tuple[Limit, ...]:
    """The limits of (cost, budget) pairs; a budget that is a number is in its cost's unit.

    Raises InputError for a budget that is not above zero or in another unit, and for costs of different layers.
    """
    found = []
    first = constraints[0][0]
    for cost, budget in constraints:
        value = budget.limit(cost) if isinstance(budget, Budget) else budget
        if math.isnan(value) or value <= 0:
            raise InputError(f"the budget is {value} {cost.unit}; expected a number above zero")
        differing = sorted(set(cost.names) ^ set(first.names))
        if differing:
            raise InputError(
                f"the costs in {first.unit} and in {cost.unit} are of different layers; expected both for"
                f" {', '.join(differing)}"
            )
        found.append(Limit(cost, value))
    return tuple(found)


def considered(costs: Sequence[AdditiveCost]) -> tuple[str, ...]:
    """The layers worth binarizing under several costs at once, in network order.

    Any choice may leave all other layers float, and none of the costs rises: with the most that each layer can save the
    costs are submodular, and with these layers binary none of the costs falls by binarizing more. With one cost these
    are its ``worthwhile`` layers.
    """
    chosen: set[str] = set()
    while True:
        grown = chosen.union(*(cost.worthwhile_with(chosen) if chosen else cost.worthwhile for cost in costs))
        if grown == chosen:
            return tuple(name for name in costs[0].names if name in chosen)
        chosen = grown


def refuse_impossible(limits: Sequence[Limit]) -> None:
    """Raise BudgetError for the first limit that no choice can keep, with the layers that weigh most."""
    for limit in limits:
        if limit.cost.minimum() > limit.value:
            raise BudgetError(_impossible(limit))


def none_keeps(limits: Sequence[Limit]) -> BudgetError:
    """The error for limits that no choice keeps."""
    if len(limits) == 1:
        return BudgetError(f"no subset of the layers costs at most {limits[0]}")
    return BudgetError(
        f"each of the budgets {' and '.join(map(str, limits))} can be kept alone, but no choice of layers keeps all of"
        " them: allow more of one"
    )


def _impossible(limit: Limit) -> str:
    cost = limit.cost
    gaining = {layer_of(option) for option in cost.worthwhile}
    stuck = {name: value for name, value in cost.float_cost.items() if name not in gaining}
    heavy = sorted({**cost.fixed_parts, **stuck}.items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} ({_amount(value, cost.unit)})" for name, value in heavy if value > 0)
    best, full = _amount(cost.minimum(), cost.unit), _amount(cost.full, cost.unit)
    fewer = "binary" if {precision_of(option) for option in cost.names} == {"binary"} else "in fewer bits"
    percent = math.ceil(1e4 * cost.minimum() / cost.full) / 100
    return (
        f"no choice costs at most {limit}: with every layer {fewer} that gains by it the "
        f"network still costs {best} ({percent:g} % of the float network's {full}), because of layers that stay float: "
        f"{named or 'all that are no eligible convolutions'}; allow at least {best}, or change the network"
    )


def _amount(value: Number, unit: str) -> str:
    """The value as text, rounded up so that a budget of the printed amount can be met."""
    return f"{math.ceil(value)} {unit}" if unit in ("flops", "bytes") else f"{math.ceil(1e4 * value) / 1e4:.10g} {unit}"
