"""Interleaved timing: each engine in a process of its own, and they take turns.

A change of the machine's speed then meets all of them, and no engine's waiting threads or caches disturb another's turn.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

WARMUP_SECONDS = 0.3


@dataclass(frozen=True)
class Engine:
    """``factory(**arguments)``, called in the engine's process, returns the call that is timed. Both must be picklable."""

    factory: Callable[..., Callable[[], object]]
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    min_ms: float
    median_ms: float
    runs: int


def interleave(engines: Mapping[str, Engine], *, rounds: int = 15, seconds: float = 0.06) -> dict[str, Timing]:
    """Time each engine's call: ``rounds`` turns of about ``seconds`` each, every single call clocked."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for name, engine in engines.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, engine), daemon=True)
        process.start()
        theirs.close()
        pipes[name] = ours
        processes.append(process)
        _answer(ours, name)  # one after the other: setting up is work, too
    samples: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(seconds)
            samples[name] += _answer(pipe, name)
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(None)
        process.join()
    return {name: Timing(min(times), median(times), len(times)) for name, times in samples.items()}


def _serve(pipe, engine: Engine) -> None:
    try:
        call = engine.factory(**engine.arguments)
        _time(call, WARMUP_SECONDS)
    except Exception as error:
        pipe.send(error)
        raise
    pipe.send([])
    while (seconds := pipe.recv()) is not None:
        call()
        pipe.send(_time(call, seconds))


def _time(call: Callable[[], object], seconds: float) -> list[float]:
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _answer(pipe, name: str) -> list[float]:
    answer = pipe.recv()
    if isinstance(answer, Exception):
        raise RuntimeError(f"{name} cannot be measured: {answer}") from answer
    return answer
