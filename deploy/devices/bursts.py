"""The settings of a measurement in short, interleaved bursts, and what comes back: bursts, and the ends of rounds.

In a round every network has its turn, in a random order, and each of its bursts stands between two bursts of a
reference network: R a R c R b R. What disturbs a device for longer than a burst then shows in the reference as well. A
second reference has a burst after each of the first: R S a R S c R S b R S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from b2nn_tvm.errors import InputError

REFERENCE = -1  # the index of the reference in Burst.network
MAX_BURST_MS = 10_000.0  # as b2nn-run takes it


@dataclass(frozen=True)
class BurstSettings:
    """The length of a measurement: at most ``rounds`` rounds of bursts, after ``warmup`` untimed runs of each network.

    A burst takes at least ``burst_ms`` milliseconds and makes at least one run. ``seed`` decides on the order of the
    networks, which is drawn anew in each round and is the same on every device. Where the undisturbed time ``quiet_ms``
    of the reference is known, a network has its turn when a burst of the reference was about as fast; the program waits
    for that up to ``patience_ms`` milliseconds in all. Where ``profiled``, every kernel is
    timed apart in the bursts of the networks, but never in those of the reference. With ``second_reference`` the last
    one of the networks is a second reference: it has no turns of its own, and ``quiet_ms`` is its time. Raises
    InputError for values out of range.
    """

    rounds: int = 8
    burst_ms: float = 12.0
    seed: int = 0
    profiled: bool = False
    warmup: int = 2
    quiet_ms: float = 0.0
    patience_ms: float = 1000.0
    second_reference: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (("rounds", 1, 1_000_000), ("seed", 0, 2**64 - 1), ("warmup", 0, 1_000_000)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f"{name}: expected a number from {least} to {most}, but got {value}")
        for name in ("quiet_ms", "patience_ms"):
            if not 0 <= (ms := getattr(self, name)) < math.inf:
                raise InputError(f"{name}: expected milliseconds from 0 on, but got {ms}")
        if not 0 < self.burst_ms <= MAX_BURST_MS:
            raise InputError(
                f"burst_ms: expected milliseconds above 0 and up to {MAX_BURST_MS:g}, but got {self.burst_ms}"
            )


@dataclass(frozen=True)
class Burst:
    """One burst: consecutive runs of one network.

    ``network`` is the index among the networks given, -1 for the reference. ``run_ms`` are the wall times of whole runs
    in milliseconds, ``step_ms`` those of each step of each run in a profiled burst; the other one of the two is empty.
    ``wall_ms`` is the wall time of the whole burst, ``cpu_ms`` the CPU time of the calling thread in it, and
    ``switches`` how often another program took that thread's CPU, -1 where the system does not tell.
    """

    round: int
    network: int
    run_ms: tuple[float, ...]
    step_ms: tuple[tuple[float, ...], ...]
    wall_ms: float
    cpu_ms: float
    switches: int


@dataclass(frozen=True)
class RoundEnd:
    """What the system says about a round, after its last burst; -1 and 0, None, "" where it does not tell.

    Since the beginning of the round ``wall_ms`` milliseconds have passed. The measuring program has used ``own_ms`` of
    CPU time with all of its threads, all programs together ``busy_ms``, and a hypervisor has given ``stolen_ms`` to
    other machines; Linux counts these two in steps of 10 ms for each CPU. ``mhz``, ``temperature_c`` and ``throttled``
    are those of ``Conditions`` at the end of the round.
    """

    round: int
    wall_ms: float
    own_ms: float
    busy_ms: float
    stolen_ms: float
    mhz: int
    temperature_c: float | None
    throttled: str
