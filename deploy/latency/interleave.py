"""Time several networks on one device, interleaved, until each time is as precise as asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing

from b2nn_tvm.deploy.devices.bursts import BurstSettings, RoundEnd
from b2nn_tvm.deploy.devices.device import BOARDS, Device
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import ENOUGH
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import DeviceLost
from b2nn_tvm.progress import Note, Progress, silent

FIRST_ROUNDS = 6
MOST_PROFILED = 30  # so many profiled bursts are enough, however disturbed they were
SESSION_ROUNDS = 2  # in each session the networks are loaded anew, at other places in memory
MANY_SESSIONS = 10  # so many tell enough of places: after them sessions grow, as loading a network takes time, too
PATIENCE_MS = 1000.0  # to wait for a quiet moment, in a session
HOPEFUL = 12  # where so many bursts of networks found none, the others do not wait any more
WATCH_SESSIONS = 4
WATCH_MS = 3000.0
LEAST_WATCHED = 8  # rounds


def time_together(
    networks: Mapping[str, Artifact],
    *,
    reference: Artifact,
    second: Artifact | None = None,
    device: Device,
    threads: int,
    record: BurstRecord,
    effort: Effort = Effort(),
    profiled: bool = False,
    note: Note | None = None,
    progress: Progress = silent,
    phase: str = "measure",
) -> None:
    """Add bursts of ``networks`` to ``record``, under their names, until each one's time is precise enough.

    They stand beside bursts of ``reference`` and, if there is one, of a ``second`` reference, which are the record's.
    What ``record`` holds already counts, so that an interrupted measurement goes on where it stopped, and a network
    that is precise enough gets no more bursts. With ``profiled`` every kernel is timed apart. A tracker's lost board is
    replaced by another one, which ``note`` is told. Raises the errors of the device.
    """
    lost, names, first = 0, list(networks), max(FIRST_ROUNDS, effort.least)
    total, told = first * len(networks), False
    # Only those that took part last are asked: bursts of other networks move the reference's level around the settled.
    while names := [name for name in names if not settled(record, name, effort=effort, profiled=profiled)]:
        taken = min(record.bursts(name, profiled=profiled) for name in names)
        settings = BurstSettings(
            rounds=max(SESSION_ROUNDS, taken // MANY_SESSIONS),
            burst_ms=effort.burst_ms,
            seed=taken,
            profiled=profiled,
            warmup=effort.warmup,
            quiet_ms=_quiet_ms(record),
            patience_ms=PATIENCE_MS if taken < HOPEFUL or any(record.has_quiet(name) for name in names) else 0.0,
            second_reference=second is not None,
        )
        finished = len(networks) - len(names)
        artifacts = [*(networks[name] for name in names), *_given(second)]
        record.begin(names)
        try:
            rows = device.interleave(artifacts, reference=reference, threads=threads, settings=settings)
            with closing(rows):
                for row in rows:
                    record.add(row)
                    if isinstance(row, RoundEnd):  # how many rounds more than the first ones it takes, nobody knows
                        rounds, told = taken + row.round + 1, True
                        done = finished * first + len(names) * min(rounds, first)
                        again = f"{len(names)} of {len(networks)} once more, for precision" if rounds > first else ""
                        progress(phase, min(done, total - 1), total, again)
        except DeviceLost as error:
            lost += 1
            if not device.has_replacements or lost == BOARDS:
                raise
            if note:
                note(f"{error}; another board goes on")
        finally:
            record.end()
    if told:
        progress(phase, total, total)


def watch_reference(
    reference: Artifact,
    *,
    second: Artifact | None = None,
    device: Device,
    threads: int,
    record: BurstRecord,
    burst_ms: float = Effort().burst_ms,
) -> None:
    """Add bursts of the reference alone, and of the ``second`` one, to ``record``, in several sessions, until it has
    those of about WATCH_MS milliseconds.

    What ``record`` holds already counts. Raises the errors of the device.
    """
    while True:
        length = max(burst_ms, record.reference_estimate().ms if record.reference_bursts() else burst_ms)
        wanted = max(LEAST_WATCHED, round(WATCH_MS / (2 * length)))
        left = wanted - record.reference_bursts() // 2
        if left <= 0:
            return
        rounds = min(left, math.ceil(wanted / WATCH_SESSIONS))
        settings = BurstSettings(rounds=rounds, burst_ms=burst_ms, second_reference=second is not None)
        record.begin([])
        try:
            with closing(
                device.interleave(_given(second), reference=reference, threads=threads, settings=settings)
            ) as rows:
                for row in rows:
                    record.add(row)
        finally:
            record.end()


def _quiet_ms(record: BurstRecord) -> float:
    """The undisturbed time of the reference that tells a quiet moment, where it is known: of the second, if any."""
    if not record.reference_bursts():
        return 0.0
    second = record.second_estimate()
    return record.reference_estimate().ms if second is None else second.ms


def _given(second: Artifact | None) -> list[Artifact]:
    return [] if second is None else [second]


def digest_of(artifact: Artifact) -> str:
    """The name under which records keep a network: the digest of its library."""
    return artifact.manifest.library.sha256


def settled(record: BurstRecord, name: str, *, effort: Effort, profiled: bool = False) -> bool:
    """Whether a network needs no more bursts, whole ones or ``profiled`` ones, for the precision of ``effort``.

    FIRST_ROUNDS profiled bursts are enough, or MOST_PROFILED where they were disturbed; the reference they settle as a
    whole, too.
    """
    bursts = record.bursts(name, profiled=profiled)
    if profiled and bursts < (
        FIRST_ROUNDS if record.quiet_profiled(name) >= ENOUGH else min(MOST_PROFILED, effort.most)
    ):
        return False
    if bursts < max(ENOUGH, effort.least) or record.inferences(name, profiled=profiled) < effort.runs:
        return False
    if bursts >= effort.most or (profiled and name != record.reference):
        return True
    found = record.estimate(name)
    return not found.disturbed and found.precision <= effort.precision
