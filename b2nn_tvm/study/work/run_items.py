"""Run pieces of work that are not on disk yet, several side by side; one that fails does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.loop.workers.worker_pool import Task, WorkerPool
from b2nn_tvm.progress import CombinedProgress, Progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.clock import Clock
from b2nn_tvm.study.table import Row

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Item:
    """A task that runs unless its result is on disk: its inputs, how it is made for its folder, its planned seconds."""

    inputs: Mapping[str, Any]
    make: Callable[[Path], Task]
    seconds: float


class Runner:
    """Items are computed by ``pool`` and kept in ``state``; ``failed`` maps those that failed to the reasons.

    ``progress`` counts hundredths of a phase. ``keep`` is given all rows that are known, whenever there is one more.
    """

    def __init__(
        self,
        state: State,
        pool: WorkerPool | DaskPool,
        clock: Clock,
        progress: Progress,
        keep: Callable[[Sequence[Row]], object],
    ) -> None:
        self.failed: dict[str, str] = {}
        self._state, self._pool, self._clock = state, pool, clock
        self._progress, self._keep = progress, keep
        self._lock = threading.Lock()

    def run(
        self,
        title: str,
        items: Mapping[str, Item],
        results: Results,
        known: Callable[[], Sequence[Row]] = list,
    ) -> Results:
        """Add the results of ``items`` by name to ``results``, which is returned; the rows ``known`` then are kept.

        An item that fails is noted in ``failed``, and the others go on.
        """
        if not items:
            return results
        seconds = {name: item.seconds for name, item in items.items()}
        progress = CombinedProgress(self._progress, title, seconds)
        self._clock.plan(seconds)

        def one(name: str) -> dict[str, Any] | None:
            computed = False

            def compute(folder: Path) -> dict[str, Any]:
                nonlocal computed
                computed = True
                return self._pool.run(name, items[name].make(folder), progress)

            try:
                result = self._state.run(name, items[name].inputs, compute)
                with self._lock:
                    results[name] = result
                    if rows := known():
                        self._keep(rows)
                return result
            except (B2nnError, RuntimeError) as error:  # RuntimeError: its process died
                self.failed[name] = str(error)
                return None
            finally:
                progress(name, 1, 1)
                (self._clock.done if computed else self._clock.drop)(name)

        self._pool.map(items, one)
        return results
