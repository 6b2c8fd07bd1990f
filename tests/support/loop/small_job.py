"""A search of a small network on images of noise, and a device whose times are made up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from b2nn_tvm.costs.options import precision_of, precisions_of
from b2nn_tvm.costs.table import CostRow
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, refit
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from tests.support.mixbin import noise

NAMES = noise.LAYERS
REST_MS, FLOAT_MS, BINARY_MS = 0.5, 1.0, 0.1
MS = {"float": FLOAT_MS, "binary": BINARY_MS, "int8": 0.3}


def small_job(folder: Path, **keywords) -> Job:
    """A job with the settings that these keywords of ``search`` mean."""
    model, data = noise.network().eval(), noise.images()
    settings = SearchSettings.from_keywords(**{"epochs": 0, "masks": 0, **keywords})
    return Job("net", model, trace(model, data.input_shape), data, settings, State(folder), silent)


class Device:
    """A network takes the sum of its layers, times ``factor`` where it is mixed: what a sum of layers cannot
    predict.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.asked = factor, []

    def __call__(self, job: Job, binary: tuple[str, ...]) -> NetworkTime:
        self.asked.append(tuple(binary))
        words = {name: precisions_of(binary).get(name, "float") for name in job.choosing}
        mine = {name: MS[word] for name, word in words.items()}
        ms = (REST_MS + sum(mine.values())) * (self.factor if 0 < len(binary) < len(job.choosing) else 1)
        row = lambda name, key, ms: CostRow(name, key, words.get(name, "float"), ms, 9, 0.01, "native", "made up", 1)
        rows = [row(name, key, mine[name]) for name, key in job.workloads.items()]
        return NetworkTime(
            tuple(binary),
            ms,
            0.01,
            9,
            1000,
            "made up",
            "none",
            (*rows, row("the rest" if "conv1" in words else "conv1", "", REST_MS)),
        )

    def measure_networks(
        self, job: Job, choices: Iterable[Iterable[str]], *, layers: bool = False, finer: bool = False
    ) -> list[NetworkTime]:
        """In place of the function of this name."""
        return [self(job, tuple(binary)) for binary in choices]


def made_up_cost(job: Job, device: Device) -> MeasuredCost:
    """What measuring the all-float network and the all-binary one, or those of each other precision, comes to."""
    words = [word for word in job.settings.selection.precisions if word != "float"]
    ends = [tuple(each for each in job.options if precision_of(each) == word) for word in words]
    return refit(job, [device(job, ()), *(device(job, end) for end in ends)])
