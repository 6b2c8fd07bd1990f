"""Distillation: the student learns the teacher's outputs besides the labels (Hinton et al., 2015).

loss = weight * T^2 * KL(softmax(teacher / T) || softmax(student / T)) + (1 - weight) * loss(student, labels)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import DataBundle, Images
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.loss import CrossEntropy, Loss, logits


def distillation_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    labels: torch.Tensor,
    *,
    temperature: float,
    weight: float,
    loss: Loss = F.cross_entropy,
) -> torch.Tensor:
    """The scalar loss of both networks' logits [N, classes] and labels [N]; T^2 keeps the gradients' size (sec. 2)."""
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return weight * temperature**2 * soft + (1 - weight) * loss(student, labels)


@dataclass(frozen=True)
class Distillation:
    """The objective; ``teacher`` computes the logits of batches that lack them, and ``source`` is its digest.

    Raises InputError where ``temperature`` is not above 0, or ``weight``, the teacher's share of the loss, is not in
    [0, 1].
    """

    temperature: float
    weight: float
    source: str
    teacher: nn.Module = field(repr=False)
    loss: Loss = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 <= self.weight <= 1:
            raise InputError(
                "distillation needs a temperature above 0 and a weight from 0 to 1, "
                f"not {self.temperature} and {self.weight}"
            )

    def __call__(self, outputs: torch.Tensor, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        images, labels, *answers = batch
        if answers:
            target = answers[0]
        else:
            with torch.no_grad():
                target = self.teacher.to(images.device)(images).float()
        return distillation_loss(
            outputs, target, labels, temperature=self.temperature, weight=self.weight, loss=self.loss
        )


@dataclass(frozen=True)
class AnsweredImages:
    """A split whose batches carry the teacher's logits: (images, labels, logits)."""

    images: Images
    answers: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: BatchIndex) -> tuple[torch.Tensor, ...]:
        return (*self.images[index], self.answers[torch.tensor(index.images)])

    @property
    def augmented(self) -> bool:
        return self.images.augmented

    @property
    def digest(self) -> str:
        return self.images.digest


def distill_from(
    teacher: nn.Module, data: DataBundle, *, temperature: float, weight: float, loss: Loss | None = None
) -> tuple[Distillation, DataBundle]:
    """The objective, and the data with the teacher's logits beside the training images; ``loss`` is as in ``train``.

    The logits are computed once where images look the same in each epoch; for augmented images the teacher runs in each
    step.
    """
    labels = loss or CrossEntropy(class_weights=data.class_weights)
    objective = Distillation(temperature, weight, model_digest(teacher), teacher.eval(), labels)
    if data.train.augmented:
        return objective, data
    answered = AnsweredImages(data.train, logits(teacher, data.fit_loader()))
    # The batches of AnsweredImages hold one more tensor, which only the objective reads.
    return objective, replace(data, train=cast(Images, answered))
