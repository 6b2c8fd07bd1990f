"""The parts that all trainings share: reporting the progress of a stage, and settling the batch norms at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import evaluate
from b2nn_tvm.mixbin.training.recipe import Recipe
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.progress import Progress, silent

if TYPE_CHECKING:
    import lightning as L

SETTLING_BATCHES = 100  # an average over more batches changes by less than its noise


@dataclass(frozen=True)
class StageProgress:
    """The progress that a stage reports to; the stage starts after ``first`` of the ``total`` epochs of the phase."""

    progress: Progress
    phase: str
    first: int
    total: int

    @contextmanager
    def callbacks(self, hardware: Hardware) -> Iterator[list[L.Callback]]:
        """The Lightning callbacks that report progress, also from spawned processes; none if nobody listens."""
        if self.progress is silent:
            yield []
            return
        from b2nn_tvm.mixbin.training.training_progress import StepReport, relayed

        with relayed(self.progress) if hardware.spawns else nullcontext(self.progress) as progress:
            yield [StepReport(progress, phase=self.phase, first=self.first, total=self.total)]


def finish_training(model: nn.Module, data: DataBundle, recipe: Recipe, hardware: Hardware) -> float:
    """Re-estimate the batch norms of the trained weights on training batches; returns the validation accuracy."""
    with hardware.computing(model):
        reestimate(model, islice(data.train_loader(recipe.batch, seed=recipe.seed), SETTLING_BATCHES))
        return evaluate(model.eval(), data.val_loader())
