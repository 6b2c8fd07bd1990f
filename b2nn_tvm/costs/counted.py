"""Costs that are counted, not measured: FLOPs and bytes, as exact integers or fractions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Number
from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.costs.precisions import counted_flops, stored_bytes
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


def flops_cost(layers: Sequence[Layer], *, total: int, options: Sequence[str] | None = None) -> AdditiveCost:
    """The cost in FLOPs, where ``total`` is the float network's number; a binary convolution counts MACs/64 (MixBin,
    section 4).

    Quotients are rounded up. Batch norm, biases and all other parts of ``total`` stay in the fixed part. ``options``
    are those that there are (see costs.options), None for all eligible layers as binary ones; for other precisions see
    costs.precisions.
    """
    macs = {layer.name: layer.workload.macs for layer in layers if layer.workload}
    costs = {each: counted_flops(macs[layer_of(each)], precision_of(each)) for each in _options(layers, options)}
    return _exact("flops", total, macs, costs)


def bytes_cost(layers: Sequence[Layer], *, total: int, options: Sequence[str] | None = None) -> AdditiveCost:
    """The cost in bytes of stored parameters, where ``total`` is the float network's number.

    A float weight takes 4 bytes. A convolution of binary weights takes ceil(channels/8) bytes per tap and filter, and a
    4-byte scale per output channel, whether its input is binary or float. ``options`` are as in ``flops_cost``.
    """
    workloads = {layer.name: layer.workload for layer in layers if layer.workload}
    float_cost = {name: 4 * workload.weights for name, workload in workloads.items()}
    costs = {each: _bytes(workloads[layer_of(each)], precision_of(each)) for each in _options(layers, options)}
    return _exact("bytes", total, float_cost, costs)


def _options(layers: Sequence[Layer], options: Sequence[str] | None) -> Sequence[str]:
    return [layer.name for layer in layers if layer.eligible] if options is None else options


def _bytes(workload: ConvWorkload, precision: str) -> int:
    per_tap = workload.in_channels // workload.groups
    return stored_bytes(per_tap, math.prod(workload.kernel), workload.out_channels, precision)


def _exact(unit: str, total: int, float_cost: Mapping[str, int], option_cost: Mapping[str, Number]) -> AdditiveCost:
    eligible = dict.fromkeys(layer_of(each) for each in option_cost)
    fixed = total - sum(float_cost[name] for name in eligible)
    if fixed < 0:
        raise InputError(f"the network's total of {total} {unit} is less than the sum over its eligible layers")
    return AdditiveCost(
        unit,
        fixed,
        {name: float_cost[name] for name in eligible},
        option_cost,
        {name: cost for name, cost in float_cost.items() if name not in eligible},
    )
