"""All bursts that were taken beside one reference network on one device: in memory and, as they come, on disk.

The file has one JSON object per line: first what was measured where, then the bursts of one session after the other. A
program that is killed loses the line that it was writing, and nothing else.

Where there is a second reference, it is the last network of each session.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from b2nn_tvm.deploy.devices.bursts import Burst, RoundEnd
from b2nn_tvm.deploy.latency.burst_times import (
    REFERENCE_LOW,
    Estimate,
    low_time,
    reference_time,
    undisturbed_times,
)
from b2nn_tvm.deploy.latency.two_references import SecondBracket, mixed_times
from b2nn_tvm.errors import InputError

KIND, VERSION = "bursts", 1
DRIFT = 0.12  # the clock of a machine that nothing disturbs falls by less
WINDOW = 100  # bursts of the reference to each side of a burst say how fast the machine was then


class BurstRecord:
    """The bursts of networks, known by the digests of their libraries, beside the network ``reference`` and, where it
    is not "", a ``second`` one.

    ``origin`` says on which device, with how many threads and with which versions they were taken. With a ``folder``
    the record is kept in a file there, whose name is a digest of the reference and the origin, and begins with what an
    earlier run left in it. Raises InputError where that file is no such record.
    """

    def __init__(
        self, reference: str, origin: Mapping[str, Any], *, second: str = "", folder: Path | None = None
    ) -> None:
        self.reference, self.second = reference, second
        self._head = {"kind": KIND, "format_version": VERSION, "reference": reference, "origin": dict(origin)}
        self._head |= {"second": second} if second else {}
        self._networks: tuple[str, ...] = ()
        self._before: float | None = None  # the low time of the reference's last burst
        self._second_before = math.nan  # that of the second reference's, which came after it
        self._latest = math.nan  # the low time of the reference, until the second one has followed
        self._waiting: Mapping[str, Any] | None = None  # the network's burst that came after them
        self._session = -1
        self._reference_low: list[float] = []
        self._reference_sessions: list[list[float]] = []
        self._second_sessions: list[list[float]] = []
        self._runs: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        self._brackets: dict[str, list[SecondBracket]] = defaultdict(list)
        self._profiled: dict[str, list[tuple[np.ndarray, SecondBracket]]] = defaultdict(list)
        self._places: dict[tuple[str, bool], list[int]] = defaultdict(list)  # of each burst among the reference's
        self._known: Estimate | None = None
        self._second_known: Estimate | None = None
        self.rounds: list[RoundEnd] = []
        self.path = None if folder is None else folder / f"{_digest(self._head)}.jsonl"
        self._file: IO[str] | None = None
        if self.path is not None:
            self._read(self.path)

    def begin(self, networks: Sequence[str]) -> None:
        """Begin a session, in which a burst of network ``i`` is one of ``networks[i]``, or of the second reference
        behind them.
        """
        row = {"networks": [*networks, *([self.second] if self.second else [])]}
        self._take(row)
        self._write(row)

    def add(self, row: Burst | RoundEnd) -> None:
        """Keep a burst, or the end of a round."""
        line = asdict(row)
        self._take(line)
        self._write(line)

    def end(self) -> None:
        """End the session; a last burst without a burst of the reference behind it is kept, as a disturbed one."""
        self._bracket(math.nan)
        self._before = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def bursts(self, network: str, *, profiled: bool = False) -> int:
        """The number of bursts of a network, whole ones or profiled ones."""
        return len(self._profiled[network] if profiled else self._brackets[network])

    def inferences(self, network: str, *, profiled: bool = False) -> int:
        """The number of timed inferences of a network, whole ones or profiled ones."""
        if profiled:
            return sum(len(steps) for steps, _ in self._profiled[network])
        return sum(map(len, self._runs[network]))

    def runs(self, network: str) -> np.ndarray:
        """The milliseconds of all whole inferences of a network, in the order in which they ran."""
        return np.array([ms for burst in self._runs[network] for ms in burst])

    def reference_bursts(self) -> int:
        """The number of bursts of the reference, each with one of the second reference behind it if there is one."""
        return sum(map(len, self._second_sessions)) if self.second else len(self._reference_low)

    def reference_estimate(self) -> Estimate:
        """The undisturbed time of the reference, as it was settled, else from all of its bursts."""
        return self._known or reference_time(self._reference_sessions)

    def second_estimate(self) -> Estimate | None:
        """The undisturbed time of the second reference; None where there is none."""
        return (self._second_known or reference_time(self._second_sessions)) if self.second else None

    def forget_levels(self) -> None:
        """From now on the times of the references are again those of all of their bursts."""
        self._known = self._second_known = None

    def settle_reference(self, known: Estimate, second: Estimate | None = None) -> None:
        """From now on this is the undisturbed time of the reference, and of the second one, in whose milliseconds all
        networks are timed.

        Times that were estimated at different moments can then be compared, whatever the machine's clock was.
        """
        self._known, self._second_known = known, second

    def estimate(self, network: str) -> Estimate:
        """The undisturbed time of a network that has bursts; of a reference, from its own bursts."""
        if network == self.reference and not self._brackets[network]:
            return self.reference_estimate()
        return self._times(network, self._brackets[network], profiled=False)[0]

    def has_quiet(self, network: str) -> bool:
        """Whether any burst of a network was undisturbed."""
        return bool(self._brackets[network]) and self.estimate(network).quiet > 0

    def estimate_layers(self, network: str, step_layers: Sequence[str]) -> dict[str, Estimate]:
        """The undisturbed time of each layer of a network with profiled bursts; ``step_layers`` names the steps'."""
        names = list(dict.fromkeys(step_layers))
        of_step = np.array([[layer == name for name in names] for layer in step_layers], dtype=float)
        brackets = [
            replace(bracket, low_ms=tuple(low_time(column) for column in (steps @ of_step).T))
            for steps, bracket in self._profiled[network]
        ]
        return dict(zip(names, self._times(network, brackets, profiled=True), strict=True))

    def quiet_profiled(self, network: str) -> int:
        """The number of profiled bursts of a network that were undisturbed."""
        if not self._profiled[network]:
            return 0
        steps = self._profiled[network][0][0].shape[1]
        return next(iter(self.estimate_layers(network, [""] * steps).values())).quiet

    def steps(self, network: str) -> np.ndarray:
        """The milliseconds of all steps of all profiled inferences of a network [inferences, steps]."""
        return np.concatenate([steps for steps, _ in self._profiled[network]])

    def _times(self, network: str, brackets: Sequence[SecondBracket], *, profiled: bool) -> tuple[Estimate, ...]:
        reference, second = self.reference_estimate(), self.second_estimate()
        if second is not None:
            return mixed_times(brackets, reference, second)
        return undisturbed_times(brackets, reference, levels_ms=self._levels(network, profiled=profiled))

    def _levels(self, network: str, *, profiled: bool) -> list[float]:
        """The undisturbed time of the reference around each burst of a network, where the clock has drifted a little;
        a machine that was much slower for a while was disturbed.
        """
        low, level = self._reference_low, self.reference_estimate().ms
        around = (low[max(0, place - WINDOW) : place + WINDOW] for place in self._places[network, profiled])
        near = (float(np.quantile(bursts, REFERENCE_LOW)) for bursts in around)
        return [ms if ms <= (1 + DRIFT) * level else level for ms in near]

    def _take(self, row: Mapping[str, Any]) -> None:
        if "networks" in row:
            self._bracket(math.nan)
            self._networks, self._before, self._second_before = tuple(row["networks"]), None, math.nan
            self._session += 1
            self._reference_sessions.append([])
            self._second_sessions.append([])
        elif "network" in row:
            self._take_burst(row)
        else:
            self.rounds.append(RoundEnd(**row))

    def _take_burst(self, row: Mapping[str, Any]) -> None:
        if row["network"] >= 0 and not self._is_of_second(row):
            self._waiting = row
            return
        low = low_time(row["run_ms"])
        if row["network"] >= 0:
            self._second_sessions[-1].append(low)
            self._runs[self.second].append(tuple(row["run_ms"]))
            self._bracket(self._latest, low)
            self._before, self._second_before = self._latest, low
            return
        self._runs[self.reference].append(tuple(row["run_ms"]))
        self._reference_low.append(low)
        self._reference_sessions[-1].append(low)
        self._latest = low
        if not self.second:
            self._bracket(low)
            self._before = low

    def _is_of_second(self, row: Mapping[str, Any]) -> bool:
        return bool(self.second) and row["network"] == len(self._networks) - 1

    def _bracket(self, after: float, second_after: float = math.nan) -> None:
        """Enter the burst that waits for the references' next low times, if there is one."""
        row, self._waiting = self._waiting, None
        if row is None or self._before is None:
            return
        name, profiled = self._networks[row["network"]], bool(row["step_ms"])
        self._places[name, profiled].append(len(self._reference_low))
        low = () if profiled else (low_time(row["run_ms"]),)
        bracket = SecondBracket(low, self._before, after, self._session, self._second_before, second_after)
        if profiled:
            self._profiled[name].append((np.array(row["step_ms"]), bracket))
            return
        self._runs[name].append(tuple(row["run_ms"]))
        self._brackets[name].append(bracket)

    def _read(self, path: Path) -> None:
        """Take the rows of the file and drop a last line that is not whole."""
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            head, *rows = [json.loads(line) for line in whole.splitlines()] or [self._head]
        except ValueError as error:
            raise InputError(f"{path}: expected one JSON object per line: {error}; remove the file") from None
        if head != self._head:
            raise InputError(f"{path}: expected a record of {self._head}, but it is one of {head}; remove the file")
        for row in rows:
            self._take(row)
        self._bracket(math.nan)
        if len(whole) < len(content):
            os.truncate(path, len(whole))

    def _write(self, row: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists() or self.path.stat().st_size == 0
            self._file = self.path.open("a", encoding="utf-8")
            if new:
                self._file.write(json.dumps(self._head) + "\n")
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()


def _digest(head: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()[:16]
