"""Interleaved timing: each engine runs in a process of its own, and the engines take turns.

A change of the machine's speed then meets all of them, and no engine's waiting threads or caches disturb another's
turn. An engine's process lives as long as the benchmark and may run under another interpreter (worker.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

ANSWER_SECONDS = 240  # for one answer; a peer's converter may be slow, but a hung one must not stop the others
# Left to each engine: set for one of them, they would slow another (libgomp's waiting threads, for ncnn).
OWN_CHOICE = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Engine:
    """The way to make the timed call: ``load(**arguments)`` of ``module``, a file of this folder, in a process of the
    interpreter ``python`` with the variables of ``environment``.

    ``distributions`` are the packages whose versions the report states.
    """

    module: str
    arguments: Mapping[str, Any]
    distributions: tuple[str, ...] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unavailable:
    """The reason why an engine has no time."""

    reason: str


@dataclass(frozen=True)
class Timing:
    """The milliseconds of single calls, one tuple for each turn, and the versions of the measured packages."""

    turns_ms: tuple[tuple[float, ...], ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def min_ms(self) -> float:
        return min(map(min, self.turns_ms))

    @property
    def median_ms(self) -> float:
        return median(time for turn in self.turns_ms for time in turn)


class Workers:
    """The processes of a benchmark, by key; a context manager that ends them."""

    def __init__(self) -> None:
        self._workers: dict[Hashable, _Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_exception) -> None:
        for worker in self._workers.values():
            worker.stop()

    def interleave(
        self,
        engines: Mapping[Key, Engine | Unavailable],
        *,
        rounds: int,
        seconds: float,
        outputs: Mapping[Key, Path] | None = None,
        one_process: bool = False,
    ) -> dict[Key, Timing | Unavailable]:
        """Time each engine's call in ``rounds`` turns of about ``seconds`` each; every single call is timed.

        An engine that is missing or fails becomes Unavailable. The first result of each engine goes into its file of
        ``outputs``. With ``one_process`` all share one process, for several networks of one engine.
        """
        outcome: dict[Key, Timing | Unavailable] = {}
        versions: dict[Key, Mapping[str, str]] = {}
        place = (lambda key: "all") if one_process else (lambda key: key)
        for key, engine in engines.items():  # one after the other: setting up is work, too
            if isinstance(engine, Unavailable):
                outcome[key] = engine
                continue
            loaded = self._load(place(key), str(key), engine, seconds, outputs.get(key) if outputs else None)
            if isinstance(loaded, Unavailable):
                outcome[key] = loaded
            else:
                versions[key] = loaded
        turns: dict[Key, list[tuple[float, ...]]] = {key: [] for key in versions}
        for _ in range(rounds):
            for key in [key for key in turns if key not in outcome]:
                times = self._workers[place(key)].ask("time", name=str(key), seconds=seconds)
                if isinstance(times, Unavailable):
                    outcome[key] = times
                else:
                    turns[key].append(tuple(times))
        for key in turns:
            outcome.setdefault(key, Timing(tuple(turns[key]), versions[key]))
        for worker in {place(key) for key in versions}:
            self._workers[worker].ask("drop")
        return {key: outcome[key] for key in engines}

    def _load(
        self, place: Hashable, name: str, engine: Engine, seconds: float, output: Path | None
    ) -> Mapping[str, str] | Unavailable:
        worker = self._workers.get(place)
        if worker is None or not worker.alive:
            if worker is not None:
                worker.stop()
            try:
                worker = self._workers[place] = _Worker(engine.python, engine.environment)
            except OSError as error:
                return Unavailable(f"{engine.python} does not start: {error.strerror}")
        return worker.ask(
            "load",
            name=name,
            module=engine.module,
            arguments=dict(engine.arguments),
            distributions=list(engine.distributions),
            output=None if output is None else str(output),
            seconds=seconds,
        )


class _Worker:
    def __init__(self, python: str, environment: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in OWN_CHOICE}
        if python != sys.executable:
            inherited.pop("PYTHONPATH", None)  # it names packages of this interpreter
        with contextlib.ExitStack() as undo:
            self._stderr = undo.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                [python, str(Path(__file__).with_name("worker.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                env={**inherited, **environment},
            )
            undo.pop_all()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, action: str, **request):
        """The value in the answer of the process, or Unavailable."""
        if self._process.stdin.closed:
            return Unavailable("its process was stopped")
        try:
            self._process.stdin.write((json.dumps({"action": action, **request}) + "\n").encode())
            line = self._read_line()
        except BrokenPipeError:
            line = b""
        except TimeoutError as error:
            self.stop()
            return Unavailable(str(error))
        if not line:
            return Unavailable(f"its process ended with status {self._process.wait()}: {self._last_words()}")
        answer = json.loads(line)
        return Unavailable(answer["error"]) if "error" in answer else answer["value"]

    def stop(self) -> None:
        if not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def _read_line(self) -> bytes:
        parts = []
        while not parts or not parts[-1].endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], ANSWER_SECONDS)[0]:
                raise TimeoutError(f"no answer within {ANSWER_SECONDS} s")
            part = os.read(self._process.stdout.fileno(), 1 << 20)
            if not part:
                return b""
            parts.append(part)
        return b"".join(parts)

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"
