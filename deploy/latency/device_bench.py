"""Tuning on a device: a trial becomes a library of one kernel, which any device can time; several boards share the
work.

The trials on one board take turns in short bursts, so that what disturbs the board for a while does not decide between
them.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

import tvm

from b2nn_tvm.deploy.codegen.build_kernels import build_kernel
from b2nn_tvm.deploy.codegen.program import Argument, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst, BurstSettings
from b2nn_tvm.deploy.devices.device import BOARDS, Device
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.errors import DeviceLost
from b2nn_tvm.targets.target import TargetInfo

SETTINGS = BurstSettings(rounds=5, burst_ms=6.0, profiled=True, warmup=1)
TIMEOUT_S = 60.0
_LOOK_S = 0.05
_FAREWELL_S = 1.0


class DeviceBench:
    """A bench that builds trials for ``target`` and times them on the device ``word``.

    Of a tracker, all boards of the key work at once. Raises DeviceError where the device cannot run the target's code,
    gives no true times, or is lost.
    """

    unit = ""

    def __init__(self, word: str, *, target: TargetInfo, timeout_s: float = TIMEOUT_S) -> None:
        first = open_device(word, timeout_s=timeout_s)
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="b2nn-trials-"))
        self._count = 0
        self._desk = _Desk()
        self._workers: list[_Worker] = []
        try:
            first.check(target)
            self.cpu = first.describe().cpu
            others = [open_device(word, timeout_s=timeout_s) for _ in range(first.parallel_devices() - 1)]
            self._workers = [_Worker(device, self._desk) for device in (first, *others)]
        except BaseException:
            first.close()
            self.close()
            raise

    def build(self, module: tvm.IRModule, target: tvm.target.Target) -> Artifact:
        """A library whose only kernel is the module's one function."""
        ((_, function),) = module.functions_items()
        kernel = build_kernel(function, target)
        self._count += 1
        folder = self._folder / str(self._count)
        build_library(_program(kernel.symbol, function, kernel.workspace_bytes), [kernel.code], self._target, folder)
        return load(folder)

    def time(self, trials: Sequence[tuple[Artifact, Sequence[Any]]]) -> Iterator[tuple[int, float]]:
        """The (index, least seconds of the kernel) of each trial, as they come.

        The trials are shared out among the boards. The share of a board that is lost goes to another board.
        """
        indexed = [(index, artifact) for index, (artifact, _) in enumerate(trials)]
        for first in range(len(self._workers)):
            if share := tuple(indexed[first :: len(self._workers)]):
                self._desk.open.put(_Share(share))
        for _ in trials:
            yield self._next()
        for artifact, _ in trials:
            shutil.rmtree(artifact.folder, ignore_errors=True)

    def close(self) -> None:
        """End the workers and their connections; a worker that still waits for a silent board is left to itself."""
        self._desk.over.set()
        for worker in self._workers:
            worker.join(_FAREWELL_S)
            if not worker.is_alive():
                worker.device.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _next(self) -> tuple[int, float]:
        """The index and seconds of the next finished trial; raises the error of a trial, or that of the last worker."""
        while True:
            alive = any(worker.is_alive() for worker in self._workers)
            try:
                index, found = self._desk.done.get(timeout=_LOOK_S)
            except Empty:
                if not alive:
                    raise next(worker.reason for worker in self._workers if worker.reason is not None) from None
                continue
            if isinstance(found, Exception):
                raise found
            return index, found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _program(symbol: str, function: tvm.tirx.PrimFunc, workspace_bytes: int) -> Program:
    """A program of one step that calls ``symbol``: the last parameter is the output, all others are inputs.

    The content of the inputs does not matter for the time.
    """
    specs = [TensorSpec(f"p{i}", tuple(map(int, p.ty.shape)), str(p.ty.dtype)) for i, p in enumerate(function.params)]
    *inputs, output = specs
    arguments = [Argument(Storage.INPUT, index) for index in range(len(inputs))] + [Argument(Storage.OUTPUT, 0)]
    step = Step(symbol, "trial", tuple(arguments))
    return Program(tuple(inputs), (output,), (step,), (), 0, workspace_bytes)


@dataclass(frozen=True)
class _Share:
    """The ``trials`` (index, library) that take turns on one board, and how often a board was ``lost`` with them."""

    trials: tuple[tuple[int, Artifact], ...]
    lost: int = 0


@dataclass(frozen=True)
class _Desk:
    """The queues between the bench and its workers.

    ``open`` holds waiting shares, ``done`` the seconds of trials or errors. The event ``over`` ends the workers.
    """

    open: Queue[_Share] = field(default_factory=Queue)
    done: Queue[tuple[int, float | Exception]] = field(default_factory=Queue)
    over: threading.Event = field(default_factory=threading.Event)


class _Worker(threading.Thread):
    """A thread that times trials on one device.

    Where its board is lost, the share goes back to the queue and the worker asks for another board. It ends where there
    is none.
    """

    def __init__(self, device: Device, desk: _Desk) -> None:
        super().__init__(daemon=True)
        self.device = device
        self.reason: Exception | None = None
        self._desk = desk
        self.start()

    def run(self) -> None:
        while not self._desk.over.is_set():
            try:
                # The device is connected before a share is taken, so that a board that does not come delays no trial.
                self.device.known_facts()
            except Exception as error:  # noqa: BLE001 - any error counts once no other worker is left
                self.reason = error
                return
            with contextlib.suppress(Empty):
                self._time(self._desk.open.get(timeout=_LOOK_S))

    def _time(self, share: _Share) -> None:
        try:
            seconds = _least_seconds(self.device, [artifact for _, artifact in share.trials])
        except DeviceLost as error:
            if self.device.has_replacements and share.lost + 1 < BOARDS:
                self._desk.open.put(_Share(share.trials, share.lost + 1))
            else:
                self._desk.done.put((share.trials[0][0], error))
        except Exception as error:  # noqa: BLE001 - any error ends the tuning, in the thread that waits
            self._desk.done.put((share.trials[0][0], error))
        else:
            for (index, _), least in zip(share.trials, seconds, strict=True):
                self._desk.done.put((index, least))


def _least_seconds(device: Device, artifacts: Sequence[Artifact]) -> list[float]:
    """The least seconds of each library's one kernel, timed in turns.

    On a disturbed device the least time is the first one to be right.
    """
    least = [math.inf] * len(artifacts)
    with closing(device.interleave(artifacts, reference=artifacts[0], threads=1, settings=SETTINGS)) as rows:
        for row in rows:
            if isinstance(row, Burst) and row.network != REFERENCE:
                least[row.network] = min(least[row.network], *(step_ms[0] for step_ms in row.step_ms))
    for artifact in artifacts:
        device.forget(artifact)
    return [ms / 1e3 for ms in least]
