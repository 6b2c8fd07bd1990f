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
from b2nn_tvm.costs.options import layer_of, precision_of
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

    ``networks`` begin with the all-float network and, up to ``ends`` of them in all, those in which all layers that may
    have one other precision have it: the all-binary network alone, as a rule. With a ``quantile`` the times of the
    networks are observed ones, else undisturbed ones.
    """

    table: CostTable
    networks: tuple[NetworkTime, ...]
    fitted: FittedCost
    quantile: float | None = None
    ends: int = 2

    @property
    def float_ms(self) -> float:
        return self.networks[0].at(self.quantile)

    @property
    def binary_ms(self) -> float:
        """The milliseconds of the all-binary network, or of the fastest of its like."""
        return min(time.at(self.quantile) for time in self.networks[1 : self.ends])


@dataclass(frozen=True)
class UnprofitableLayer:
    """A layer that is no faster when it is binary, or has another ``precision``; with its measured milliseconds."""

    name: str
    float_ms: float
    binary_ms: float
    precision: str = "binary"


def unprofitable_layers(measured: MeasuredCost) -> tuple[UnprofitableLayer, ...]:
    """The layers that binary, or another of their options, does not make faster on this device, in network order."""
    ms = {(row.layer, row.precision): row.ms for row in measured.table.layers}
    options = [(layer_of(each), precision_of(each)) for each in measured.fitted.cost.names]
    rows = [(name, word, ms.get((name, "float")), ms.get((name, word))) for name, word in options]
    return tuple(
        UnprofitableLayer(name, slow, fast, word)
        for name, word, slow, fast in rows
        if slow is not None and fast is not None and fast >= slow
    )


def exact_cost(job: Job, unit: str) -> AdditiveCost:
    """The cost model in "flops" or "bytes", which is computed without any device."""
    rows = tuple(job.layers)
    if unit == "flops":
        return flops_cost(rows, total=flops(job.model, (1, *job.data.input_shape)), options=job.options)
    total = sum(4 * parameter.numel() for parameter in job.model.parameters())
    return bytes_cost(rows, total=total, options=job.options)


def measure_cost(job: Job, *, quantile: float | None = None) -> MeasuredCost:
    """Measure the all-float and the all-binary network (and those of other precisions), layer by layer, and some random
    mixtures as a whole.

    The layers' times are taken from the settings' cost table, where it has all of them. The mixtures correct the plain
    sum of layers, which is off by up to 1.6 times (HAWQ-V3, Yao et al., tables of latencies). Raises SettledAnew; see
    ``until_settled``.
    """
    ends, mixtures = _ends(job), _mixtures(job)
    rows = shared_rows(job)
    measured = measure_networks(job, ends, layers=rows is None)
    mixed = measure_networks(job, mixtures)
    measured = measured if rows is None else with_rows(measured, rows)
    return refit(job, [*measured, *mixed], quantile=quantile)


def refit(job: Job, networks: Sequence[NetworkTime], *, quantile: float | None = None) -> MeasuredCost:
    """The cost model fitted to ``networks``: the first ones, all float and all binary, give the rows per layer.

    Where there are more precisions, each of the others gives the rows of the layers that have it.
    """
    ends = len(_ends(job))
    rows = [*networks[0].layers]
    for time in networks[1:ends]:
        rows += time.layers if job.is_binary else [row for row in time.layers if row.precision != "float"]
    table = CostTable().add([*rows, *(network_row(job, time) for time in networks)])
    prior = ms_cost(table, tuple(job.layers), options=job.options)
    weights = {layer.name: layer.workload.weights for layer in job.layers if layer.name in job.choosing}
    times = [time.network(quantile) for time in networks]
    fitted = fit(prior, times, transitions=job.transitions, weights=weights)
    return MeasuredCost(table, tuple(networks), fitted, quantile, ends)


def _ends(job: Job) -> list[tuple[str, ...]]:
    """No option at all, and for each other precision those of all layers that may have it."""
    of: dict[str, list[str]] = {word: [] for word in job.settings.selection.precisions if word != "float"}
    for each in job.options:
        of[precision_of(each)].append(each)
    return [(), *(tuple(options) for options in of.values() if options)]


def _mixtures(job: Job) -> list[tuple[str, ...]]:
    """Random choices of the layers, drawn by the seed, from one layer binary (or in another option) to all but one.

    Sizes are spread evenly: a fit to halves alone does not see what the first and the last layers of a kind cost. One
    layer alone has no mixtures.
    """
    draw, most = random.Random(job.settings.training.seed), len(job.choosing) - 1
    if most == 0:
        return []
    sizes = [round(float(size)) for size in np.linspace(min(1, most), most, job.settings.selection.masks)]
    samples = [draw.sample(job.choosing, size) for size in sizes]
    if job.is_binary:
        return [tuple(layers) for layers in samples]
    of = {layer: [each for each in job.options if layer_of(each) == layer] for layer in job.choosing}
    return [tuple(draw.choice(of[layer]) for layer in layers) for layers in samples]
