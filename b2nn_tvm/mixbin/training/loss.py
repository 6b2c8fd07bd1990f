"""The mean loss, the logits and the accuracy of a network over batches, in evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data.bundle import Batch, Images, in_order
from b2nn_tvm.errors import InputError

BatchesOrSplit = Iterable[Batch] | Images
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class CrossEntropy:
    """The cross entropy of the labels, smoothed by ``smoothing`` (Szegedy et al., Rethinking Inception, section 7), in
    which an image counts as much as the weight of its class.
    """

    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None

    def __call__(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        weights = None if self.class_weights is None else outputs.new_tensor(self.class_weights)
        return F.cross_entropy(outputs, labels, weight=weights, label_smoothing=self.smoothing)


def mean_loss(model: nn.Module, batches: BatchesOrSplit, *, loss: Loss = F.cross_entropy) -> float:
    """The mean loss over all images; ``loss`` maps (outputs, labels) to a batch's mean.

    Raises InputError where there is no image, or the loss is not finite.
    """
    return mean_loss_of(predictions(model, batches), loss)


def mean_loss_of(answers: Iterable[Batch], loss: Loss) -> float:
    """The mean loss over all images of (outputs, labels) computed already; raises as ``mean_loss`` does."""
    total, images = 0.0, 0
    for outputs, labels in answers:
        total += float(loss(outputs, labels)) * len(labels)
        images += len(labels)
    if images == 0:
        raise InputError("the loss needs at least one batch of images")
    if not math.isfinite(total):
        raise InputError(f"the loss is {total / images}: the network's outputs are not finite; check its weights")
    return total / images


def evaluate(model: nn.Module, batches: BatchesOrSplit) -> float:
    """The share of right answers, 0 to 1, over batches or a whole split; raises InputError where there is no image."""
    right = images = 0
    for outputs, labels in predictions(model, batches):
        right += int((outputs.argmax(dim=1) == labels).sum())
        images += len(labels)
    if images == 0:
        raise InputError("accuracy needs at least one batch of images")
    return right / images


def logits(model: nn.Module, batches: BatchesOrSplit) -> torch.Tensor:
    """The outputs [N, classes] over all batches, in their order, on the CPU."""
    return torch.cat([outputs.cpu() for outputs, _ in predictions(model, batches)])


def predictions(model: nn.Module, batches: BatchesOrSplit) -> Iterator[Batch]:
    """(outputs, labels) of each batch, computed in evaluation mode without gradients, on the model's device."""
    device = device_of(model)
    with evaluating(model), torch.no_grad():
        for images, labels, *_ in batches if hasattr(batches, "__iter__") else in_order(batches):
            yield model(images.to(device)), labels.to(device)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside this context ``model`` is in evaluation mode; afterwards each module is in its own mode again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def device_of(model: nn.Module) -> torch.device:
    """The device of the model's first parameter or buffer; the CPU for a model without any."""
    return next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
