"""What a search has measured so far, from its files; and a device that vanishes in the middle of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import Estimate
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.interleave import settled
from b2nn_tvm.loop.measuring.measure_network import MEASURE, SAMPLES


@dataclass(frozen=True)
class Session:
    """Networks that took turns in one run on the device, by the digests of their libraries, and their bursts."""

    networks: tuple[str, ...]
    profiled: bool
    bursts: int


class VanishInTheMiddle:
    """A progress callback that calls ``vanish`` when the networks have had one round of bursts in the phase MEASURE.

    It waits until the phase ``after`` was reported, if one is given.
    """

    def __init__(self, vanish: Callable[[], None], *, after: str | None = None) -> None:
        self._vanish, self._after = vanish, after
        self.vanished = False

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase == self._after:
            self._after = None
        if phase == MEASURE and self._after is None and not self.vanished:
            self.vanished = True
            self._vanish()


def lines(folder: Path) -> list[str]:
    """The lines of the only file of samples of the search in ``folder``."""
    (path,) = (folder / SAMPLES).iterdir()
    return path.read_text(encoding="utf-8").splitlines()


def sessions(lines: list[str]) -> Iterator[Session]:
    """The sessions in lines of a file of samples, without its first line."""
    rows = [json.loads(line) for line in lines]
    begins = [index for index, row in enumerate(rows) if "networks" in row]
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        bursts = [row for row in rows[begin:end] if row.get("network", -1) >= 0]
        yield Session(tuple(rows[begin]["networks"]), any(row["step_ms"] for row in bursts), len(bursts))


def settled_networks(folder: Path, *, precision: float) -> set[tuple[str, bool]]:
    """(digest, whether profiled) of the networks that need no more bursts in the search in ``folder``."""
    head, *rows = map(json.loads, lines(folder))
    record = BurstRecord(head["reference"], head["origin"], folder=folder / SAMPLES)
    reference = json.loads((folder / "state" / "times" / "reference" / "phase.json").read_text())["result"]
    record.settle_reference(Estimate(**reference))
    names = {name for row in rows for name in row.get("networks", ())}
    return {
        (name, profiled)
        for name in names
        for profiled in (False, True)
        if settled(record, name, effort=Effort(precision), profiled=profiled)
    }
