"""What disturbed a measurement: other programs, a clock that changed, a hot or starved board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from b2nn_tvm.deploy.latency.burst_record import BurstRecord

BUSY = 0.15  # this share of one CPU for other programs is worth a word
UNSTEADY = 0.03  # a clock that changes by this share is worth a word


@dataclass(frozen=True)
class Disturbance:
    """What the device said about the rounds of a measurement; NaN, 0, None and "" where it did not tell.

    ``other_cpus`` CPUs were kept busy by other programs on the average, and ``stolen_cpus`` were taken by the host of a
    virtual machine. ``low_mhz`` to ``high_mhz`` is the range of the clock. Of ``bursts`` bursts of the reference, the
    share ``quiet`` was undisturbed.
    """

    other_cpus: float
    stolen_cpus: float
    low_mhz: int
    high_mhz: int
    temperature_c: float | None
    throttled: str
    bursts: int
    quiet: float

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that is worth saying, a sentence each; empty where nothing disturbed."""
        said = []
        if self.other_cpus > BUSY:
            said.append(f"other programs kept {self.other_cpus:.1f} CPUs busy")
        if self.stolen_cpus > BUSY:
            said.append(f"the host of this virtual machine took {self.stolen_cpus:.1f} CPUs away")
        if self.low_mhz and self.high_mhz > self.low_mhz * (1 + UNSTEADY):
            said.append(f"the clock changed between {self.low_mhz} and {self.high_mhz} MHz")
        if self.throttled not in ("", "no"):
            said.append(f"the device was slowed down: {self.throttled}")
        return tuple(said)


def disturbance_of(record: BurstRecord) -> Disturbance:
    """What disturbed the rounds of ``record``."""
    rounds = record.rounds
    known = [row for row in rounds if row.busy_ms >= 0 and row.wall_ms > 0]
    wall = sum(row.wall_ms for row in known)
    clocks = [row.mhz for row in rounds if row.mhz]
    degrees = [row.temperature_c for row in rounds if row.temperature_c is not None]
    reference = record.reference_estimate()
    return Disturbance(
        other_cpus=max(0.0, sum(row.busy_ms - row.own_ms for row in known) / wall) if wall else float("nan"),
        stolen_cpus=sum(max(row.stolen_ms, 0.0) for row in known) / wall if wall else float("nan"),
        low_mhz=min(clocks, default=0),
        high_mhz=max(clocks, default=0),
        temperature_c=float(np.max(degrees)) if degrees else None,
        throttled=next((row.throttled for row in rounds[::-1] if row.throttled not in ("", "no")), ""),
        bursts=reference.bursts,
        quiet=reference.quiet / reference.bursts if reference.bursts else 0.0,
    )
