"""Train a float network on labels; callers also import fine-tuning and the measurement of accuracy from here."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.finish import StageProgress, finish_training
from b2nn_tvm.mixbin.training.fit_stage import fit
from b2nn_tvm.mixbin.training.hardware import HERE, Hardware
from b2nn_tvm.mixbin.training.loss import CrossEntropy, Loss, evaluate, logits
from b2nn_tvm.mixbin.training.recipe import EpochRecord, Recipe, TrainResult
from b2nn_tvm.mixbin.training.recipes.optimization import PLAIN, Optimization
from b2nn_tvm.progress import Progress, as_progress

__all__ = ["EpochRecord", "TrainResult", "evaluate", "finetune", "logits", "train"]


@dataclass(frozen=True)
class Supervised:
    """The objective of plain training: a ``loss`` of (outputs, labels)."""

    loss: Loss

    def __call__(self, outputs: torch.Tensor, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.loss(outputs, batch[1])


def train(
    model: nn.Module,
    data: DataBundle,
    *,
    epochs: int,
    lr: float = 3e-3,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    loss: Loss | None = None,
    optimization: Optimization = PLAIN,
    batch: int = 64,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    hardware: Hardware = HERE,
    progress: Progress | None = None,
) -> TrainResult:
    """Train ``model`` in place on the labels, then re-estimate its batch norms; 0 epochs only measure it.

    On CPUs the result is fixed by ``seed`` and the number of processes. With a ``workdir`` each epoch is kept there,
    and the same call goes on where an earlier one was stopped. ``progress`` counts steps, with the loss and the
    validation accuracy of the last epoch. ``optimization`` is how the weights move. ``loss`` replaces the smoothed
    cross entropy; its repr identifies it and must be the same in every process. Raises InputError where a setting is
    out of range, a checkpoint is damaged, or the loss is no longer finite.
    """
    told = StageProgress(as_progress(progress), "train", first=0, total=epochs)
    if epochs == 0:
        return TrainResult(evaluate(model, data.val_loader()), ())
    recipe = Recipe("float", epochs, lr, weight_decay, batch, seed, optimization=optimization)
    objective = Supervised(CrossEntropy(label_smoothing, data.class_weights) if loss is None else loss)
    history = fit(model, data, objective, recipe=recipe, hardware=hardware, told=told, workdir=workdir)
    return TrainResult(finish_training(model, data, recipe, hardware), history)
