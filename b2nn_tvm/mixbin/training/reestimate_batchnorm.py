"""Re-estimate batch norm statistics: binarizing a layer shifts the distribution of everything behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from b2nn_tvm.mixbin.training.loss import device_of, evaluating

Norm = nn.modules.batchnorm._BatchNorm


def reestimate(model: nn.Module, batches: Iterable[tuple[torch.Tensor, ...]]) -> nn.Module:
    """Replace all running means and variances by their averages over ``batches``, in place; returns the model.

    Each batch is (images [N, C, H, W], ...) and has the same weight in the average. The model's weights and the mode of
    each module stay as they are; modules other than batch norms run in evaluation mode. A network in half precision
    runs in float32 meanwhile.
    """
    norms = tracking_norms(model)
    if not norms:
        return model
    device = device_of(model)
    own = next((each.dtype for each in model.parameters()), torch.float32)
    wide = torch.promote_types(own, torch.float32)
    model.to(wide)
    with evaluating(model), averaging(norms), torch.no_grad():
        for images, *_ in batches:
            model(images.to(device, wide))
    return model.to(own)


def tracking_norms(model: nn.Module) -> list[Norm]:
    """The batch norms that keep running statistics, each once."""
    return [module for module in model.modules() if isinstance(module, Norm) and module.track_running_stats]


@contextmanager
def averaging(norms: Sequence[Norm]) -> Iterator[None]:
    """Inside this context each forward pass normalizes by its own batch, and the new statistics average all passes."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then takes the plain average over batches
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
