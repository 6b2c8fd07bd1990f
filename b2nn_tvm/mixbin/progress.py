"""What a user sees while a network trains: a bar on stderr, or calls of a function; importing this loads Lightning."""

from __future__ import annotations

from collections.abc import Callable

import lightning as L

Report = Callable[[int, int], None]


class TrainingBar(L.Callback):
    """A bar with epoch, loss, validation accuracy and time left; drawn by the first process alone."""

    def __init__(self, title: str):
        self._title, self._bar = title, None

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
    """Calls ``report(steps done, steps in all)`` after each step; a stage starts at ``first`` of ``total`` epochs."""

    def __init__(self, report: Report, *, first: int, total: int):
        self._report, self._first, self._total = report, first, total

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index) -> None:
        per_epoch = int(trainer.estimated_stepping_batches) // trainer.max_epochs
        self._report(self._first * per_epoch + trainer.global_step, self._total * per_epoch)
