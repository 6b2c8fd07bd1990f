"""The cost model of a search: exact FLOPs or bytes, or milliseconds measured on the device and fitted to whole
networks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.counted import bytes_cost, flops_cost
from b2nn_tvm.costs.fit import FittedCost, fit
from b2nn_tvm.costs.table import CostTable, ms_cost
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.measuring.shared_costs import shared_rows, with_rows
from b2nn_tvm.loop.measuring.time_rows import network_row
from b2nn_tvm.mixbin.network.flops import flops


@dataclass(frozen=True)
class MeasuredCost:
    """Measured times in milliseconds, per layer and of whole networks, and the cost model fitted to both.

    With a ``quantile`` the times of the networks are observed ones, else undisturbed ones.
    """

    table: CostTable
    networks: tuple[NetworkTime, ...]
    fitted: FittedCost
    quantile: float | None = None

    @property
    def float_ms(self) -> float:
        return self.networks[0].at(self.quantile)

    @property
    def binary_ms(self) -> float:
        return self.networks[1].at(self.quantile)


@dataclass(frozen=True)
class UnprofitableLayer:
    """A layer that is no faster when it is binary, with its measured milliseconds in both forms."""

    name: str
    float_ms: float
    binary_ms: float


def unprofitable_layers(measured: MeasuredCost) -> tuple[UnprofitableLayer, ...]:
    """The eligible layers that binary does not make faster on this device, in network order."""
    ms = {(row.layer, row.precision): row.ms for row in measured.table.layers}
    pairs = [(name, ms.get((name, "float")), ms.get((name, "binary"))) for name in measured.fitted.cost.names]
    return tuple(
        UnprofitableLayer(name, slow, fast)
        for name, slow, fast in pairs
        if slow is not None and fast is not None and fast >= slow
    )


def exact_cost(job: Job, unit: str) -> AdditiveCost:
    """The cost model in "flops" or "bytes", which is computed without any device."""
    rows = tuple(job.layers)
    if unit == "flops":
        return flops_cost(rows, total=flops(job.model, (1, *job.data.input_shape)))
    return bytes_cost(rows, total=sum(4 * parameter.numel() for parameter in job.model.parameters()))


def measure_cost(job: Job, *, quantile: float | None = None) -> MeasuredCost:
    """Measure the all-float and the all-binary network, layer by layer, and some random mixtures as a whole.

    The layers' times are taken from the settings' cost table, where it has all of them. The mixtures correct the plain
    sum of layers, which is off by up to 1.6 times (HAWQ-V3, Yao et al., tables of latencies).
    """
    ends, mixtures = [(), job.eligible], _mixtures(job)
    rows = shared_rows(job)
    measure_networks(job, ends, layers=rows is None)
    mixed = measure_networks(job, mixtures)
    measured = measure_networks(job, ends, layers=rows is None)  # by what is known of the machine after all of them
    measured = measured if rows is None else with_rows(measured, rows)
    return refit(job, [*measured, *mixed], quantile=quantile)


def refit(job: Job, networks: Sequence[NetworkTime], *, quantile: float | None = None) -> MeasuredCost:
    """The cost model fitted to ``networks``: the first two, all float and all binary, give the rows per layer."""
    table = CostTable().add([*networks[0].layers, *networks[1].layers, *(network_row(job, time) for time in networks)])
    prior, times = ms_cost(table, tuple(job.layers)), [time.network(quantile) for time in networks]
    weights = {layer.name: layer.workload.weights for layer in job.layers if layer.eligible}
    fitted = fit(prior, times, transitions=job.transitions, weights=weights)
    return MeasuredCost(table, tuple(networks), fitted, quantile)


def _mixtures(job: Job) -> list[tuple[str, ...]]:
    """Random choices of the eligible layers, drawn by the seed, from one layer binary to all but one.

    Sizes are spread evenly: a fit to halves alone does not see what the first and the last layers of a kind cost. One
    layer alone has no mixtures.
    """
    draw, most = random.Random(job.settings.training.seed), len(job.eligible) - 1
    if most == 0:
        return []
    sizes = [round(float(size)) for size in np.linspace(min(1, most), most, job.settings.selection.masks)]
    return [tuple(draw.sample(job.eligible, size)) for size in sizes]
