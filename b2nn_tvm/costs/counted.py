"""Costs that are counted, not measured: FLOPs and bytes, as exact integers or fractions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Number
from b2nn_tvm.errors import InputError
from b2nn_tvm.workload import ConvWorkload


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
