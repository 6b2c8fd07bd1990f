"""MixBin_Grad: score_j = max(Delta_j, eps) * ||dL/dtheta_j||_1 of the loss with layer j binary (MixBin, equation 7).

theta_j is the layer's unit: the input of the convolution and its latent weights. The printed equation lost the
derivative, and its kappa has Delta's opposite sign (see sensitivity). A Delta below zero, where binarizing helped on
these batches, would turn the gradient's meaning round; it counts as EPS.
"""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.mixbin.loss import Loss, device_of, evaluating
from b2nn_tvm.mixbin.sensitivity import Batches, Sensitivity, measure

EPS = 1e-6  # of the loss: far below any difference that a few hundred images can tell


def mixbin_grad(model: nn.Module, batches: Batches, **options) -> Sensitivity:
    """Score the layers by Delta times the gradient's norm; options and errors are those of ``sensitivity.measure``."""
    return measure(model, batches, method="mixbin-grad", scoring=_delta_times_norm, **options)


def gradient_norm(model: nn.Module, name: str, batches: Batches, loss: Loss) -> float:
    """||dL/dtheta||_1 of the mean loss over all images; theta is the input and the weights of the module ``name``."""
    layer, device = model.get_submodule(name), device_of(model)
    inputs: list[torch.Tensor] = []

    def watch(module, arguments):
        # Cut here: what comes before the layer needs no gradient.
        inputs.append(arguments[0].detach().requires_grad_())
        return (inputs[-1], *arguments[1:])

    images_in_all = sum(len(labels) for _, labels in batches)
    weight_gradient, input_norm = torch.zeros_like(layer.weight), 0.0
    handle = layer.register_forward_pre_hook(watch)
    trainable = layer.weight.requires_grad
    layer.weight.requires_grad_(True)
    try:
        with evaluating(model), torch.enable_grad():
            for images, labels in batches:
                inputs.clear()
                part = loss(model(images.to(device)), labels.to(device)) * (len(labels) / images_in_all)
                by_weight, *by_input = torch.autograd.grad(part, [layer.weight, *inputs])
                weight_gradient += by_weight
                input_norm += sum(float(gradient.abs().sum()) for gradient in by_input)
    finally:
        handle.remove()
        layer.weight.requires_grad_(trainable)
    return float(weight_gradient.abs().sum()) + input_norm


def _delta_times_norm(delta: float, binary: nn.Module, name: str, batches: Batches, loss: Loss) -> float:
    return max(delta, EPS) * gradient_norm(binary, name, batches, loss)
