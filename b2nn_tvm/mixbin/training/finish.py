"""What all trainings do before and after their stages: watch them, and settle the batch norms at the end."""

from __future__ import annotations

from itertools import islice

from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import evaluate
from b2nn_tvm.mixbin.training.recipe import Recipe, Report
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate

SETTLING_BATCHES = 100  # a running average over more moves by less than its noise


def watchers(progress: bool | Report, place: Hardware, *, title: str, first: int, total: int) -> list:
    """The Lightning callbacks that show progress; a function is not called from new processes."""
    from b2nn_tvm.mixbin.training.training_bar import StepReport, TrainingBar

    if callable(progress):
        return [StepReport(progress, first=first, total=total)] if not place.spawns else []
    return [TrainingBar(title)] if progress else []


def finish_training(model: nn.Module, data: DataBundle, recipe: Recipe, place: Hardware) -> float:
    """Re-estimate the batch norms of the trained weights on training batches; the validation accuracy after it."""
    with place.computing(model):
        reestimate(model, islice(data.train_loader(recipe.batch, seed=recipe.seed), SETTLING_BATCHES))
        return evaluate(model.eval(), data.val_loader())
