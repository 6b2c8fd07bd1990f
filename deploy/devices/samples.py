"""The settings of a measurement on a device, and the times that come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.errors import InputError


@dataclass(frozen=True)
class Sample:
    """The times of one inference in milliseconds: of the whole, or of each step where every kernel was timed apart."""

    threads: int
    run_ms: float | None = None
    step_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Wall times in milliseconds: ``run_ms`` [runs] of whole inferences, ``step_ms`` [profiled runs, steps]."""

    run_ms: np.ndarray
    step_ms: np.ndarray
    threads: int

    @staticmethod
    def of(samples: Iterable[Sample]) -> Samples:
        """The two tables of ``samples``."""
        samples = tuple(samples)
        runs = [sample.run_ms for sample in samples if sample.run_ms is not None]
        steps = [sample.step_ms for sample in samples if sample.run_ms is None]
        return Samples(np.array(runs), np.array(steps), samples[-1].threads if samples else 0)


@dataclass(frozen=True)
class MeasurementSettings:
    """The length of a measurement: after ``warmup`` untimed inferences, ``runs`` whole inferences are timed, and then
    as many with every kernel timed apart.

    Where ``runs`` is None, inferences are timed for about ``min_seconds``. Raises InputError for values out of range.
    """

    runs: int | None = None
    warmup: int = 3
    min_seconds: float = 0.5

    def __post_init__(self) -> None:
        if self.runs is not None and self.runs < 1:
            raise InputError(f"runs: expected at least 1, but got {self.runs}")
        if self.warmup < 0 or self.min_seconds <= 0:
            raise InputError(
                f"expected warmup of 0 or more and min_seconds above 0, but got {self.warmup} and {self.min_seconds}"
            )
