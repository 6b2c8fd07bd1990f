"""MetaSchedule with a bench of our own that builds and times the trials: this process, or a device."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import tvm

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.tvm_internals.meta_schedule import metaschedule
from b2nn_tvm.tvm_internals.vector_rounding import vectorize_rounding


class Bench(Protocol):
    """The place where trials are built and timed. ``unit`` is empty where the figures are seconds, else it names the
    unit of the figures that stand for seconds.
    """

    unit: str

    def build(self, module: tvm.IRModule, target: tvm.target.Target) -> Any:
        """The library of a trial. Raises RuntimeError, the base of all of TVM's errors, where it cannot be built."""

    def time(self, trials: Sequence[tuple[Any, Sequence[Any]]]) -> Iterator[tuple[int, float]]:
        """(index, least seconds of one call on one thread) of each (library, description of its arguments), in the
        order in which they are timed.
        """


class HereBench:
    """The bench of this process: it times each trial ``repeats`` times, for ``seconds`` in all.

    The trials take turns, so that what disturbs the machine for a while does not decide between them.
    """

    unit = ""

    def __init__(self, *, repeats: int, seconds: float) -> None:
        self._repeats, self._seconds = repeats, seconds

    def build(self, module: tvm.IRModule, target: tvm.target.Target) -> tvm.runtime.Module:
        vectorize_rounding()
        return tvm.tirx.build(module, target=target)

    def time(self, trials: Sequence[tuple[tvm.runtime.Module, Sequence[Any]]]) -> Iterator[tuple[int, float]]:
        tvm.get_global_func("runtime.config_threadpool")(1, 1)  # affinity mode (fast cores first), threads
        calls = [_Call(library, arguments, self._seconds / self._repeats) for library, arguments in trials]
        for _ in range(self._repeats - 1):
            for call in calls:
                call.repeat()
        for index, call in enumerate(calls):
            yield index, call.repeat()


@dataclass(frozen=True)
class BenchParts:
    """MetaSchedule, a builder and a runner for it that leave the work to a bench, and the errors that ended the
    work.
    """

    meta_schedule: ModuleType
    builder: Any
    runner: Any
    failures: list[B2nnError]


def bench_parts(bench: Bench, *, measured: Callable[[float | None], None]) -> BenchParts:
    """The parts of MetaSchedule that leave the work to ``bench``.

    ``measured`` is told the seconds of each trial, or None where it could not be built.
    """
    meta_schedule = metaschedule()
    from tvm.ir.utils import derived_object
    from tvm.s_tir.meta_schedule.builder import BuilderResult, PyBuilder
    from tvm.s_tir.meta_schedule.runner import PyRunner, PyRunnerFuture, RunnerResult

    libraries: dict[str, Any] = {}
    failures: list[B2nnError] = []
    names = itertools.count()

    @derived_object
    class Builder(PyBuilder):
        def build(self, build_inputs: Sequence[Any]) -> list[BuilderResult]:
            results = []
            for item in build_inputs:
                name = f"trial-{next(names)}"
                try:
                    libraries[name] = bench.build(item.mod, item.target)
                except RuntimeError as error:
                    results.append(BuilderResult(None, str(error)))
                    measured(None)
                else:
                    results.append(BuilderResult(name, None))
            return results

    @derived_object
    class Future(PyRunnerFuture):
        def __init__(self, result: RunnerResult) -> None:
            super().__init__()
            self._result = result

        def done(self) -> bool:
            return True

        def result(self) -> RunnerResult:
            return self._result

    @derived_object
    class Runner(PyRunner):
        def run(self, runner_inputs: Sequence[Any]) -> list[Future]:
            trials = [(libraries.pop(str(item.artifact_path)), item.args_info) for item in runner_inputs]
            seconds = {}
            try:
                for index, best in bench.time(trials if not failures else ()):
                    seconds[index] = best
                    measured(best)
            except B2nnError as error:  # an error loses its type on its way through TVM
                failures.append(error)
            results = [[seconds[index]] if index in seconds else None for index in range(len(trials))]
            return [Future(RunnerResult(best, None if best else "not timed")) for best in results]

    return BenchParts(meta_schedule, Builder(), Runner(), failures)


class _Call:
    """Calls of a library on random arguments, each time for ``seconds``."""

    def __init__(self, library: tvm.runtime.Module, args_info: Sequence[Any], seconds: float) -> None:
        rng = np.random.default_rng(0)
        self._arrays = [
            tvm.runtime.tensor(_random(tuple(map(int, info.shape)), str(info.dtype), rng)) for info in args_info
        ]
        once = library.time_evaluator("main", tvm.cpu(), number=1, repeat=2)(*self._arrays).min
        self._timer = library.time_evaluator("main", tvm.cpu(), number=max(1, int(seconds / max(once, 1e-7))))
        self._least = math.inf

    def repeat(self) -> float:
        """The least seconds of one call so far: on a shared machine neighbours disturb the least time least."""
        self._least = min(self._least, float(self._timer(*self._arrays).min))
        return self._least


def _random(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> np.ndarray:
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    if dtype == "int32":  # border classes index small tables: 0 is always inside
        return np.zeros(shape, dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
