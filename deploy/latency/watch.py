"""A network run without a pause for minutes: how its time follows the clock, the temperature and the throttling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Samples
from b2nn_tvm.deploy.devices.system_facts import Conditions
from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.devices.device import Device
    from b2nn_tvm.deploy.library.artifact import Artifact

PART_S = 10.0  # of a row; the firmware's own readings change no faster than in seconds


@dataclass(frozen=True)
class WatchRow:
    """A part of the watched time: its end in seconds since the beginning, the times of the inferences in it, and the
    device's conditions at its end.
    """

    seconds: float
    median_ms: float
    p90_ms: float
    runs: int
    conditions: Conditions

    @property
    def frames_per_second(self) -> float:
        """How many inferences of the median time fit into a second."""
        return 1e3 / self.median_ms


def watch(
    artifact: Artifact,
    *,
    device: Device,
    threads: int,
    minutes: float,
    part_s: float = PART_S,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[WatchRow]:
    """Run ``artifact`` on ``device`` for ``minutes`` and yield a row for about each ``part_s`` seconds, as it ends.

    Raises InputError for a time that is not above zero, DeviceError as the device does, also where it is emulated.
    """
    if not minutes > 0:
        raise InputError(f"expected a number of minutes above 0, but got {minutes}")
    # A program on the device spends two thirds of its time on whole inferences, one third on single kernels.
    settings = MeasurementSettings(min_seconds=part_s * 2 / 3)
    begun = clock()
    while (clock() - begun) < 60 * minutes:
        runs = Samples.of(device.sample(artifact, threads=threads, effort=settings)).run_ms
        yield WatchRow(
            seconds=clock() - begun,
            median_ms=float(np.median(runs)),
            p90_ms=float(np.percentile(runs, 90)),
            runs=len(runs),
            conditions=device.conditions(),
        )
