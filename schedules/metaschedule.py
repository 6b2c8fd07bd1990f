"""MetaSchedule without its slow start: measuring in this process, loops built by the code generator in memory.

``import tvm.s_tir.meta_schedule`` parses every GPU's tensor intrinsics, which takes 20 seconds and more; none of them is used
here, so empty modules stand in for them while it is imported.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np
import tvm

_UNUSED_INTRINSICS = ("cuda", "rocm", "hexagon", "metal", "riscv_cpu", "arm_cpu", "x86")


@cache
def metaschedule() -> types.ModuleType:
    """The module ``tvm.s_tir.meta_schedule``."""
    package = "tvm.s_tir.tensor_intrin."
    added = [package + name for name in _UNUSED_INTRINSICS if package + name not in sys.modules]
    sys.modules.update({name: types.ModuleType(name) for name in added})
    try:
        import_module("tvm.s_tir.tensor_intrin")
        from tvm.s_tir import meta_schedule
    finally:
        for name in added:
            sys.modules.pop(name, None)
    return meta_schedule


def in_process(*, repeats: int, seconds: float, measured: Callable[[float | None], None]):
    """A builder and a runner that share loaded functions; ``measured`` is told the seconds of each trial, or None."""
    meta_schedule = metaschedule()
    from tvm.ir.utils import derived_object
    from tvm.s_tir.meta_schedule.builder import BuilderResult, PyBuilder
    from tvm.s_tir.meta_schedule.runner import PyRunner, PyRunnerFuture, RunnerResult

    libraries: dict[str, tvm.runtime.Module] = {}

    @derived_object
    class Builder(PyBuilder):
        def build(self, build_inputs):
            results = []
            for item in build_inputs:
                name = f"in-process-{len(libraries)}"
                try:
                    libraries[name] = tvm.tirx.build(item.mod, target=item.target)
                except RuntimeError as error:  # of which all of TVM's are kinds
                    results.append(BuilderResult(None, str(error)))
                    measured(None)
                else:
                    results.append(BuilderResult(name, None))
            return results

    @derived_object
    class Future(PyRunnerFuture):
        def __init__(self, result):
            super().__init__()
            self._result = result

        def done(self):
            return True

        def result(self):
            return self._result

    @derived_object
    class Runner(PyRunner):
        def run(self, runner_inputs):
            futures = []
            for item in runner_inputs:
                library = libraries.pop(str(item.artifact_path))
                best = _fastest(library, item.args_info, repeats, seconds)
                measured(best)
                futures.append(Future(RunnerResult([best], None)))
            return futures

    return meta_schedule, Builder(), Runner()


def _fastest(library: tvm.runtime.Module, args_info, repeats: int, seconds: float) -> float:
    """The least seconds of one call on one thread: on a shared machine neighbours disturb the minimum least."""
    tvm.get_global_func("runtime.config_threadpool")(1, 1)  # affinity mode (fast cores first), threads
    rng = np.random.default_rng(0)
    arrays = [tvm.runtime.tensor(_random(tuple(map(int, info.shape)), str(info.dtype), rng)) for info in args_info]
    once = library.time_evaluator("main", tvm.cpu(), number=1, repeat=2)(*arrays).min
    number = max(1, int(seconds / repeats / max(once, 1e-7)))
    return float(library.time_evaluator("main", tvm.cpu(), number=number, repeat=repeats)(*arrays).min)


def _random(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> np.ndarray:
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    if dtype == "int32":  # border classes index small tables: 0 is always inside
        return np.zeros(shape, dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
