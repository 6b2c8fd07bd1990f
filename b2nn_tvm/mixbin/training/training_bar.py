"""What a user sees while a network trains: a bar on stderr, or calls of a function; importing this loads Lightning."""

from __future__ import annotations

import time

import lightning as L

from b2nn_tvm.mixbin.training.recipe import Report


class TrainingBar(L.Callback):
    """A bar with epoch, loss, validation accuracy and time left; drawn by the first process alone.

    Loss and accuracy are the last epoch's; in the first one the loss is the last step's, looked at every second, since
    a GPU must stop for it.
    """

    def __init__(self, title: str):
        self._title, self._bar, self._looked = title, None, 0.0

    def on_train_start(self, trainer, module) -> None:
        if not trainer.is_global_zero:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.description}  epoch {task.fields[epoch]}")
        numbers = TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}")
        self._bar = Progress(text, BarColumn(), numbers, TimeRemainingColumn(), console=Console(stderr=True))
        self._bar.start()
        total = int(trainer.estimated_stepping_batches)
        fields = {"epoch": f"{trainer.current_epoch + 1}/{trainer.max_epochs}", "loss": "-", "accuracy": "-"}
        self._task = self._bar.add_task(self._title, total=total, completed=trainer.global_step, **fields)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index) -> None:
        self._show(trainer, module)
        if self._bar and not module.history and time.monotonic() > self._looked + 1:
            self._bar.update(self._task, loss=f"{float(outputs['loss']):.3f}")
            self._looked = time.monotonic()

    def on_train_end(self, trainer, module) -> None:
        self._show(trainer, module)
        self._stop()

    def on_exception(self, trainer, module, exception) -> None:
        self._stop()

    def _show(self, trainer, module) -> None:
        if not self._bar:
            return
        epoch = min(trainer.current_epoch + 1, trainer.max_epochs)
        self._bar.update(self._task, completed=trainer.global_step, epoch=f"{epoch}/{trainer.max_epochs}")
        if module.history:
            last = module.history[-1]
            self._bar.update(self._task, loss=f"{last.loss:.3f}", accuracy=f"{100 * last.accuracy:.1f} %")

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


class StepReport(L.Callback):
    """Calls ``report`` in the first process after each step and epoch; a stage starts at ``first`` of ``total``
    epochs.
    """

    def __init__(self, report: Report, *, first: int, total: int):
        self._report, self._first, self._total = report, first, total
        self._told = 0

    def on_train_start(self, trainer, module) -> None:
        self._told = len(module.history)  # what a resumed run has behind it was told before

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index) -> None:
        if trainer.is_global_zero:
            per_epoch = int(trainer.estimated_stepping_batches) // trainer.max_epochs
            self._report(self._first * per_epoch + trainer.global_step, self._total * per_epoch)
            self._tell(module)

    def on_train_end(self, trainer, module) -> None:
        if trainer.is_global_zero:
            self._tell(module)

    def _tell(self, module) -> None:
        tell = getattr(self._report, "epoch", None)
        if tell and len(module.history) > self._told:
            self._told = len(module.history)
            tell(module.history[-1])
