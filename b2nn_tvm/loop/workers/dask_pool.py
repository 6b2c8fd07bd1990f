"""Tasks on the workers of a dask scheduler, as WorkerPool runs them in processes of this machine.

dask.distributed queues the tasks, moves them, and gives those of a lost worker to another one.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.workers.worker_pool import Result, Task
from b2nn_tvm.progress import Progress
from b2nn_tvm.version import __version__

if TYPE_CHECKING:
    from distributed import Future

TIMEOUT_S = 20.0  # for the scheduler to answer
WAITING = 256  # tasks that are handed to the scheduler at once
EVERY_S = 1.0  # between two reports of a task's progress


class DaskPool:
    """A context whose tasks run on the workers of the scheduler at ``address``, one at a time on each.

    Workers have one thread (``dask worker ADDRESS --nthreads 1``), as two trainings in one process would draw from one
    source of random numbers. They have this version of the package, and the tasks' folders at the same paths. Raises
    InputError where dask is not installed, the scheduler does not answer, or it has no workers.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise InputError(
                "a scheduler needs dask.distributed, which is not installed: pip install 'b2nn-tvm[cluster]'"
            ) from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is raised
        try:
            self._client = Client(address, timeout=TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise InputError(
                f"no dask scheduler answers at {address!r} ({type(error).__name__}); start one with `dask scheduler`"
                " and give the address that it prints, such as tcp://10.0.0.1:8786"
            ) from None
        self.size = len(self._client.scheduler_info(n_workers=-1)["workers"])
        if not self.size:
            self._client.close()
            raise InputError(
                f"the dask scheduler at {address} has no workers; start them with `dask worker {address} --nthreads 1`"
            )
        self._topic, self._futures, self._progress = f"b2nn-{uuid.uuid4().hex}", set[Any](), dict[str, Progress]()
        self._lock = threading.Lock()
        self._client.subscribe_topic(self._topic, self._report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def map(self, names: Iterable[str], one: Callable[[str], Result]) -> dict[str, Result]:
        """``one(name)`` for every name, all handed to the scheduler; the first failure cancels the others."""
        with ThreadPoolExecutor(WAITING) as pool:
            futures = {name: pool.submit(one, name) for name in names}
            try:
                return {name: future.result() for name, future in futures.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                with self._lock:
                    self._client.cancel(list(self._futures), force=True)
                raise

    def run(self, name: str, task: Task, progress: Progress) -> dict[str, Any]:
        """The result of one task, or the error that it raised; the phase of ``progress`` is the task's ``name``."""
        from distributed import KilledWorker

        mark = task.folder / f"{self._topic}.here"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        with self._lock:
            self._progress[name] = progress
            future: Future[dict[str, Any]] = self._client.submit(
                work, task, name, mark, self._topic, __version__, pure=False
            )
            self._futures.add(future)
        try:
            return dict(future.result())
        except KilledWorker as error:
            raise InputError(
                f"the work on {name} was begun on {error.allowed_failures + 1} workers of the scheduler, one after the"
                " other, and none of them lived to its end; they may have too little memory"
            ) from None
        finally:
            mark.unlink(missing_ok=True)
            with self._lock:
                self._futures.discard(future)

    def _report(self, event: tuple[float, dict[str, Any]]) -> None:
        said = event[1]
        self._progress[said["name"]](said["name"], said["done"], said["total"], said["detail"])


def work(task: Task, name: str, mark: Path, topic: str, version: str) -> dict[str, Any]:
    """Run ``task`` on the dask worker that this process is; its progress goes to the subscribers of ``topic``.

    Raises InputError on a worker that cannot do the work as the others do, and what the task raises.
    """
    from distributed import get_worker

    from b2nn_tvm.mixbin.network.own_faults import own_faults

    worker = get_worker()
    where = f"the dask worker {worker.address} on {socket.gethostname()}"
    if version != __version__:
        raise InputError(f"{where} has b2nn-tvm {__version__}, not {version}: install the same version everywhere")
    if worker.state.nthreads != 1:
        raise InputError(f"{where} has {worker.state.nthreads} threads; start it with --nthreads 1")
    if not mark.is_file():
        raise InputError(f"{where} does not see {mark.parent}: put the output on storage that all machines share")
    told = 0.0

    def progress(phase: str, done: int, total: int, detail: str = "") -> None:
        nonlocal told
        if done == total or time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            worker.log_event(topic, {"name": name, "done": done, "total": total, "detail": detail})

    with own_faults("the work"):
        return task.run(progress)
