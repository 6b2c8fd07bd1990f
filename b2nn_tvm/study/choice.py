"""The layers that a method takes under a budget, and how choices come to cost the same.

The sort stops at the first cost within the budget. As layers differ in size, it may leave more of the budget unspent
for one method than for another, and the poorer network would be blamed on the method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Number
from b2nn_tvm.mixbin.selection.select import select


@dataclass(frozen=True)
class Choice:
    """Binary layers in network order, their cost in FLOPs, and whether the sort's choice was changed."""

    binary: tuple[str, ...]
    flops: int
    topped_up: bool


def choose(scores: Mapping[str, float], cost: AdditiveCost, limit: Number) -> Choice:
    """The choice of MixBin's sort under the strict rule; raises as ``select`` does."""
    found = select(scores, cost, limit, solver="sort")
    return Choice(found.binary, int(found.achieved), False)


def top_up(choice: Choice, scores: Mapping[str, float], cost: AdditiveCost, limit: Number) -> Choice:
    """Spend what ``choice`` leaves of the budget, in the method's own order.

    First layers return to float, the most harmful first, wherever the limit allows it. Then the most harmful layer that
    is still binary gives way to the next layer in the order that saves less and still keeps the limit.
    """
    ranked = sorted(cost.worthwhile, key=lambda name: (scores[name], cost.names.index(name)))
    chosen = [name for name in ranked if name in choice.binary]
    if cost.full <= limit:
        return choice
    for name in reversed(list(chosen)):
        rest = [each for each in chosen if each != name]
        if cost.total(rest) <= limit:
            chosen = rest
    kept, last = chosen[:-1], chosen[-1]
    smaller = [name for name in ranked if name not in choice.binary and cost.saving(name) < cost.saving(last)]
    chosen = kept + next(([name] for name in smaller if cost.total([*kept, name]) <= limit), [last])
    binary = tuple(name for name in cost.names if name in chosen)
    return Choice(binary, int(cost.total(binary)), binary != choice.binary)


def equalize(
    choices: Sequence[Choice],
    scores: Sequence[Mapping[str, float]],
    cost: AdditiveCost,
    limit: Number,
    *,
    tolerance: float,
) -> list[Choice]:
    """The choices under one budget at nearly equal cost: choices that cost clearly less than the largest are topped up.

    "Clearly" is by more than ``tolerance``, a share of the float network's FLOPs. The largest cost is taken after
    topping up all choices, so that all come close to the budget.
    """
    topped = [top_up(choice, each, cost, limit) for choice, each in zip(choices, scores, strict=True)]
    largest = max((each.flops for each in topped), default=0)

    def is_behind(choice: Choice) -> bool:
        return (largest - choice.flops) / cost.full > tolerance

    return [more if is_behind(choice) else choice for choice, more in zip(choices, topped, strict=True)]
