"""The recipe of a stage of training, and the records that training leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.recipes.optimization import PLAIN, Optimization

# Maps (the network's outputs, the batch: images, labels and more tensors of the data) to a loss. Its repr names it.
Objective = Callable[[torch.Tensor, tuple[torch.Tensor, ...]], torch.Tensor]


@dataclass(frozen=True)
class Recipe:
    """How one stage trains: ``optimization`` says by which optimizer, and how its learning rate ``lr`` changes.

    ``decay`` is the weight decay; parameters named in ``undecayed`` have none. Raises InputError for numbers that are
    not above zero.
    """

    stage: str
    epochs: int
    lr: float
    decay: float
    batch: int
    seed: int
    undecayed: frozenset[str] = field(default=frozenset())
    optimization: Optimization = PLAIN

    def __post_init__(self) -> None:
        for what, value in (("learning rate", self.lr), ("batch size", self.batch), ("number of epochs", self.epochs)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"the {what} is {value}; expected a number above zero")


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: the mean training ``loss`` while it ran, and the validation ``accuracy`` after it, 0 to 1."""

    stage: str
    epoch: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class TrainResult:
    """The result of a training: ``accuracy`` is the share of right answers on the validation split, 0 to 1."""

    accuracy: float
    history: tuple[EpochRecord, ...]
