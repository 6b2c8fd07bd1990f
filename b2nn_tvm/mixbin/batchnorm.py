"""Re-estimate batch norm statistics: binarizing a layer shifts the distribution of everything behind it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from b2nn_tvm.mixbin.loss import device_of


def reestimate(model: nn.Module, batches: Iterable[tuple[torch.Tensor, ...]]) -> nn.Module:
    """Replace all running means and variances by their averages over these batches, in place; returns the model.

    Each batch is (images [N, C, H, W], ...) and weighs the same. Weights and the mode of each module stay as they are;
    modules other than batch norms run in evaluation mode.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return model
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then takes the plain average over batches
        norm.train()
    device = device_of(model)
    try:
        with torch.no_grad():
            for images, *_ in batches:
                model(images.to(device))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
    return model
