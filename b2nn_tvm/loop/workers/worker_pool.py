"""Worker processes that compute side by side and take the next task when they are done with one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from b2nn_tvm import errors
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.document import write_atomic

Result = TypeVar("Result")
TRAIN_LESS = "train fewer networks side by side, smaller ones or with smaller images"


class Task(Protocol):
    """Work for a process: the task goes there pickled, its files go into ``folder``, and its result is JSON-able."""

    @property
    def folder(self) -> Path: ...
    def run(self, progress: Progress) -> dict[str, Any]: ...


class Pool(Protocol):
    """Where up to ``size`` tasks run side by side: in processes of this machine, or on the workers of a scheduler."""

    size: int

    def map(self, names: Iterable[str], one: Callable[[str], Result]) -> dict[str, Result]: ...
    def run(self, name: str, task: Task, progress: Progress) -> dict[str, Any]: ...


class WorkerPool:
    """A context with up to ``size`` processes of ``threads`` threads each, which start when needed and end with it.

    ``advice`` says what to do where the system kills one of them, most likely because it ran out of memory.
    """

    def __init__(self, size: int, *, threads: int = 1, advice: str = TRAIN_LESS) -> None:
        self.size, self.threads, self.advice = size, threads, advice
        self._all: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._stopped = False
        self._lock = threading.Lock()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._all:
            worker.close()

    def map(self, names: Iterable[str], one: Callable[[str], Result]) -> dict[str, Result]:
        """``one(name)`` for every name, as many at a time as there are processes; the first failure ends the others."""
        with ThreadPoolExecutor(self.size) as pool:
            futures = {name: pool.submit(one, name) for name in names}
            try:
                return {name: future.result() for name, future in futures.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise

    def run(self, name: str, task: Task, progress: Progress) -> dict[str, Any]:
        """The result of one task, or the error that it reported; the phase of ``progress`` is the task's ``name``."""
        import cloudpickle

        packed = task.folder / "task.pickle"
        packed.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(packed, cloudpickle.dumps(task))
        worker = self._take()
        try:
            last = worker.ask(name, packed, progress)
        finally:
            packed.unlink(missing_ok=True)
        if not last:
            raise _death(name, worker.process.wait(), worker.complaint(), self.advice)
        with self._lock:
            self._idle.append(worker)
        if "error" in last:
            cause = RuntimeError(f"in a worker process:\n{last['traceback']}")
            raise getattr(errors, last["kind"], errors.B2nnError)(last["error"]) from cause
        result: dict[str, Any] = last["result"]
        return result

    def _take(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            if self._idle:
                return self._idle.pop()
            self._all.append(_Worker(self.threads))
            return self._all[-1]

    def _stop(self) -> None:
        """End every worker that still runs, and start no other one."""
        with self._lock:
            self._stopped = True
            for worker in self._all:
                if worker.process.poll() is None:
                    worker.process.terminate()


def _death(name: str, status: int, complaint: str, advice: str) -> errors.B2nnError:
    """The error about a process that died; all that it has written is the cause."""
    if status == -signal.SIGKILL:
        error: errors.B2nnError = errors.InputError(
            f"the work on {name} was killed, most likely because the system ran out of memory; {advice}"
        )
    else:
        how = f"ended with status {status}" if status >= 0 else f"ended with the signal {signal.Signals(-status).name}"
        said = f": {lines[-1]}" if (lines := complaint.strip().splitlines()) else ""
        error = errors.ProgramFault(
            f"the work on {name} {how}{said}; this is a fault of this program, please report it"
        )
    error.__cause__ = RuntimeError(f"in a worker process:\n{complaint}")
    return error


class _Worker:
    """One process of worker.py."""

    def __init__(self, threads: int) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        # Threads that spin while they wait make a training 20 times slower where another process wants the cores.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "b2nn_tvm.loop.workers.worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, name: str, packed: Path, progress: Progress) -> dict[str, Any]:
        """The last line that the process writes about a task; empty where the process died."""
        try:
            print(json.dumps(str(packed)), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {}
        for line in self.process.stdout or ():
            said: dict[str, Any] = json.loads(line)
            if "done" in said:
                progress(name, said["done"], said["total"], said["detail"])
            else:
                return said
        return {}

    def complaint(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:]

    def close(self) -> None:
        """Let the process end, which it does when it has no more tasks to read."""
        self.process.communicate()
        self._log.close()
