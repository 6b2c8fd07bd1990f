"""Train with a penalty on batch norm scales, which drives the scales of unneeded channels to 0.

This is the training of Network Slimming (Liu et al.): loss = cross entropy + strength * sum |gamma|. The gradient of
the penalty is strength * sign(gamma), which the authors' code adds after every backward pass.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.finish import StageProgress, finish_training
from b2nn_tvm.mixbin.training.fit_stage import fit
from b2nn_tvm.mixbin.training.hardware import HERE, Hardware
from b2nn_tvm.mixbin.training.recipe import Recipe, TrainResult
from b2nn_tvm.mixbin.training.recipes.optimization import PLAIN, Optimization
from b2nn_tvm.mixbin.training.reestimate_batchnorm import Norm
from b2nn_tvm.progress import Progress, as_progress


@dataclass(frozen=True)
class SparseScales:
    """The objective of training for slimming; ``scales`` are the batch norms' gammas."""

    strength: float
    scales: tuple[nn.Parameter, ...] = field(repr=False)

    def __call__(self, outputs: torch.Tensor, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        penalty = sum(scale.abs().sum() for scale in self.scales)
        return F.cross_entropy(outputs, batch[1]) + self.strength * penalty


def slim_train(
    model: nn.Module,
    data: DataBundle,
    *,
    epochs: int,
    strength: float = 1e-4,
    lr: float = 3e-3,
    weight_decay: float = 1e-4,
    optimization: Optimization = PLAIN,
    batch: int = 64,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    hardware: Hardware = HERE,
    progress: Progress | None = None,
) -> TrainResult:
    """Train ``model`` in place on the labels and for small scales; the rest is as in ``train``.

    Raises InputError as ``train`` does, for a strength that is not above zero, and for a network without batch norm.
    """
    scales = tuple(module.weight for module in model.modules() if isinstance(module, Norm) and module.affine)
    if not scales or not strength > 0:
        raise InputError(
            f"slimming needs batch norms with scales and a strength above zero; there are {len(scales)}, and it is"
            f" {strength}"
        )
    recipe = Recipe("sparse", epochs, lr, weight_decay, batch, seed, optimization=optimization)
    told = StageProgress(as_progress(progress), "train for slimming", first=0, total=epochs)
    objective = SparseScales(strength, scales)
    history = fit(model, data, objective, recipe=recipe, hardware=hardware, told=told, workdir=workdir)
    return TrainResult(finish_training(model, data, recipe, hardware), history)
