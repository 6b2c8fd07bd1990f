"""Network Slimming: keep the channels with the largest batch norm scales (Liu et al., ICCV 2017).

One global threshold on |gamma| is found by bisection, so that the largest network within the budget remains. This is
the structured-pruning baseline: a smaller dense network, which is all float.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, Number
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.slimming.channel_groups import ChannelGroup, channel_groups, remove

UNITS = ("flops", "bytes")


@dataclass(frozen=True)
class Slimmed:
    """The smaller ``model``, not fine-tuned yet, and what it costs.

    ``removed`` lists the removed output channels by convolution (see channel_groups.remove); their scales are at most
    ``threshold``. ``achieved``, ``limit`` and ``full``, the float network's cost, are in ``unit``.
    """

    model: nn.Module
    removed: Mapping[str, tuple[int, ...]]
    threshold: float
    achieved: Number
    limit: Number
    full: Number
    unit: str

    @property
    def share(self) -> float:
        """``achieved`` over the float network's cost."""
        return float(self.achieved / self.full)


def slim(model: nn.Module, input_shape: Sequence[int], budget: Budget) -> Slimmed:
    """The largest network within ``budget`` (FLOPs or bytes of parameters) that a threshold leaves of ``model``.

    Each layer keeps at least the channel with the largest scale. Raises InputError for a budget in another
    unit or a network without batch norm, BudgetError, with the least possible cost, where no threshold keeps it, and
    what ``channel_groups`` raises.
    """
    if budget.unit not in UNITS:
        raise InputError(
            f"slimming is counted in {' or '.join(UNITS)}, not {budget.unit}: time is known of compiled networks only"
        )
    groups = channel_groups(model, input_shape)
    if not groups:
        raise InputError(f"no channel of this {type(model).__name__} may go: batch norm scales none of its inner ones")
    ranked = _ranked(groups)

    def measure(net: nn.Module) -> int:
        return flops(net, input_shape) if budget.unit == "flops" else _bytes(net)

    full = measure(model)
    limit = budget.limit(AdditiveCost(budget.unit, full, {}, {}))
    costs: dict[int, Number] = {0: full}

    def cost(count: int) -> Number:
        if count not in costs:
            costs[count] = measure(remove(model, input_shape, _removed(ranked, count)))
        return costs[count]

    if cost(len(ranked)) > limit:
        raise BudgetError(
            f"no threshold leaves at most {float(limit):.6g} {budget.unit}: with one channel per layer the network"
            f" still costs {cost(len(ranked))} {budget.unit} of {full}; allow at least that"
        )
    # Removing more never costs more, so the first count within the limit is found by bisection.
    count = bisect.bisect_left(range(len(ranked) + 1), -limit, key=lambda count: -cost(count))
    removed = _removed(ranked, count)
    threshold = ranked[count - 1][0] if count else 0.0
    return Slimmed(remove(model, input_shape, removed), removed, threshold, cost(count), limit, full, budget.unit)


def _ranked(groups: Sequence[ChannelGroup]) -> list[tuple[float, str, int]]:
    """(scale, root, channel) of all channels that may go, in the order in which they go."""
    return sorted(
        (scale, group.root, channel)
        for group in groups
        for channel, scale in enumerate(group.scales)
        if channel not in group.kept
    )


def _removed(ranked: Sequence[tuple[float, str, int]], count: int) -> dict[str, tuple[int, ...]]:
    removed: dict[str, list[int]] = {}
    for _, root, channel in ranked[:count]:
        removed.setdefault(root, []).append(channel)
    return {root: tuple(sorted(channels)) for root, channels in removed.items()}


def _bytes(model: nn.Module) -> int:
    return sum(4 * parameter.numel() for parameter in model.parameters())
