"""Train and fine-tune a Siamese network, by the loop, the stages and the distillation that classifiers have."""

from __future__ import annotations

from typing import Any

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.mixbin.training import train as classifiers
from b2nn_tvm.mixbin.training.recipe import TrainResult
from b2nn_tvm.tracking.siamese import LogisticLoss, SiameseNet


def train(net: SiameseNet, data: DataBundle, *, radius: float = 1.0, **options: Any) -> TrainResult:
    """Train a float network in place on pairs, with targets of this ``radius`` in cells.

    ``options`` and errors are those of mixbin.training.train.train. The accuracy of the result is the share of pairs
    with the highest response in the target's cell.
    """
    return classifiers.train(net, data, loss=LogisticLoss(net.sizes.response, radius), **options)


def finetune(
    student: SiameseNet, teacher: SiameseNet, data: DataBundle, *, radius: float = 1.0, **options: Any
) -> TrainResult:
    """Fine-tune a mixed network in place in two stages, distilled from the responses of the float ``teacher``.

    Distillation takes a response as a distribution over its cells. ``options`` are those of
    mixbin.training.train.finetune.
    """
    return classifiers.finetune(student, teacher, data, loss=LogisticLoss(student.sizes.response, radius), **options)
