"""Lightning's steps and epochs as calls of a Progress; importing this loads Lightning."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

import lightning as L

from b2nn_tvm.mixbin.training.recipe import EpochRecord
from b2nn_tvm.progress import Progress

if TYPE_CHECKING:
    from b2nn_tvm.mixbin.training.training_module import TrainingModule

LOSS_EVERY_S = 1.0  # a GPU must stop for the loss of a step, so it is read only now and then


class StepReport(L.Callback):
    """Reports each step to ``progress`` from the first process; the stage starts at epoch ``first`` of ``total``.

    The detail is the loss and the accuracy of the last epoch; during the first epoch it is the loss of a step.
    """

    def __init__(self, progress: Progress, *, phase: str, first: int, total: int):
        self._progress, self._phase, self._first, self._total = progress, phase, first, total
        self._epochs_told = 0
        self._loss_read_s = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epochs_told = len(_history(pl_module))  # the epochs before a resumed run were told by the run before it
        self._loss_read_s = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        history = _history(pl_module)
        self._tell(trainer, self._new_epoch(history) or self._step_loss(history, outputs))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        detail = self._new_epoch(_history(pl_module))
        if detail:
            self._tell(trainer, detail)

    def _tell(self, trainer: L.Trainer, detail: str) -> None:
        if trainer.is_global_zero:
            per_epoch = int(trainer.estimated_stepping_batches) // (trainer.max_epochs or 1)  # each stage has a number
            done = self._first * per_epoch + trainer.global_step
            self._progress(self._phase, done, self._total * per_epoch, detail)

    def _new_epoch(self, history: Sequence[EpochRecord]) -> str:
        if len(history) == self._epochs_told:
            return ""
        self._epochs_told = len(history)
        last = history[-1]
        return f"loss {last.loss:.3f}, accuracy {last.accuracy:.1%}"

    def _step_loss(self, history: Sequence[EpochRecord], outputs: Any) -> str:
        if history or time.monotonic() < self._loss_read_s + LOSS_EVERY_S:
            return ""
        self._loss_read_s = time.monotonic()
        return f"loss {float(outputs['loss']):.3f}"


def _history(module: L.LightningModule) -> Sequence[EpochRecord]:
    return cast("TrainingModule", module).history  # what every stage trains


@contextmanager
def relayed(progress: Progress) -> Iterator[Progress]:
    """A Progress for processes spawned inside this context: a thread of this process calls ``progress`` for them.

    An error of ``progress`` is raised at the end, when the processes are done.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    raised: list[BaseException] = []
    listener = threading.Thread(target=_pass_on, args=(ours, progress, raised), daemon=True)
    listener.start()
    try:
        yield _Sender(theirs)
    finally:
        theirs.close()
        listener.join(timeout=10)  # a process that hangs must not make this one hang
    if raised:
        raise raised[0]


@dataclass(frozen=True)
class _Sender:
    """The end of the pipe that is pickled into the new processes."""

    pipe: Connection

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        self.pipe.send((phase, done, total, detail))


def _pass_on(pipe: Connection, progress: Progress, raised: list[BaseException]) -> None:
    """Call ``progress`` until no process can send any more; after an error the rest is read and dropped."""
    with pipe:
        while True:
            try:
                call = pipe.recv()
            except EOFError:
                return
            try:
                if not raised:
                    progress(*call)
            except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise it to
                raised.append(error)
