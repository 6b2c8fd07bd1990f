"""MixBin_Grad: score_j = max(Delta_j, eps) * ||dL/dtheta_j||_1 of the loss with layer j binary (MixBin, equation 7).

theta_j is the layer's unit: the input of the convolution and its latent weights. The printed equation lost the
derivative, and its kappa has Delta's opposite sign (see one_by_one). A Delta below zero, where binarizing helped on
these batches, would reverse the meaning of the gradient; it counts as EPS.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.scoring.shared_runs import Variant
from b2nn_tvm.mixbin.selectors.one_by_one import one_by_one
from b2nn_tvm.mixbin.training.loss import Loss

EPS = 1e-6  # of the loss: far below any difference that a few hundred images can show


@dataclass(frozen=True)
class MixBinGrad:
    """``printed_order`` sorts as the paper prints it, kappa = -Delta * norm ascending: the most harmful go first."""

    printed_order: bool = False

    @property
    def name(self) -> str:
        return "mixbin-grad-printed-order" if self.printed_order else "mixbin-grad"

    def score(self, task: ScoringTask) -> Sensitivity:
        def scoring(delta: float, variant: Variant, name: str) -> float:
            norm = gradient_norm(variant, name, task.loss)
            return -delta * norm if self.printed_order else max(delta, EPS) * norm

        return one_by_one(task, method=self.name, scoring=scoring)


def gradient_norm(variant: Variant, name: str, loss: Loss) -> float:
    """||dL/dtheta||_1 of the mean loss over all images; theta is the input and the weights of the module ``name``."""
    layer = variant.model.get_submodule(name)
    weight = layer.get_parameter("weight")
    inputs: list[torch.Tensor] = []

    def watch(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        # The graph is cut here: nothing in front of the layer needs a gradient.
        inputs.append(arguments[0].detach().requires_grad_())
        return (inputs[-1], *arguments[1:])

    images_in_all = sum(len(labels) for _, labels in variant.runs.batches)
    weight_gradient, input_norm = torch.zeros_like(weight), 0.0
    trainable = {parameter: parameter.requires_grad for parameter in variant.model.parameters()}
    variant.model.requires_grad_(False)
    weight.requires_grad_(True)
    handle = layer.register_forward_pre_hook(watch)
    try:
        with torch.enable_grad():
            for outputs, labels in variant.answers():
                part = loss(outputs, labels) * (len(labels) / images_in_all)
                by_weight, *by_input = torch.autograd.grad(part, [weight, *inputs])
                weight_gradient += by_weight
                input_norm += sum(float(gradient.abs().sum()) for gradient in by_input)
                inputs.clear()
    finally:
        handle.remove()
        for parameter, value in trainable.items():
            parameter.requires_grad_(value)
    return float(weight_gradient.abs().sum()) + input_norm
