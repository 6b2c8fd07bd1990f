"""How long networks are measured."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.errors import InputError
from b2nn_tvm.words.choices import PRECISION_OF_TIMES


@dataclass(frozen=True)
class Effort:
    """Networks are measured until the half of each time's interval is at most the share ``precision`` of it, and until
    at least ``runs`` inferences were timed in at least ``least`` bursts.

    Inferences come in bursts of ``burst_ms`` milliseconds. A network whose time cannot be had so precisely gets
    ``most`` bursts. Each time that a device loads the networks, ``warmup`` inferences of each come first, untimed.
    Raises InputError for values out of range.
    """

    precision: float = 0.02
    runs: int = 1
    least: int = 0
    most: int = 60
    burst_ms: float = 12.0
    warmup: int = 2

    def __post_init__(self) -> None:
        least, most = PRECISION_OF_TIMES
        if not least <= self.precision <= most:
            raise InputError(
                f"precision: expected a share from {least:.1%} to {most:.0%}, but got {self.precision:.4g}"
            )
        if self.runs < 1:
            raise InputError(f"runs: expected at least 1, but got {self.runs}")
        if not 0 <= self.least <= self.most:
            raise InputError(f"least: expected a number of bursts from 0 to {self.most}, but got {self.least}")
        if self.burst_ms <= 0:
            raise InputError(f"burst_ms: expected milliseconds above 0, but got {self.burst_ms}")
