"""Gradient and Hessian of the mean loss with respect to the weights of some layers, in evaluation mode."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

import torch
from torch import nn

from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.mixbin.training.loss import Loss, device_of

Tensors = dict[str, torch.Tensor]


class Curvature:
    """The derivatives of the mean loss of a copy of ``model`` over ``batches`` of (images, labels).

    ``layers`` names the modules in whose weights the derivatives are taken.
    """

    def __init__(self, model: nn.Module, layers: Iterable[str], batches: Batches, loss: Loss):
        self._model = copy.deepcopy(model).eval().requires_grad_(False)
        self.weights: Tensors = {name: self._model.get_parameter(f"{name}.weight") for name in layers}
        self._batches, self._loss, self._device = batches, loss, device_of(model)
        self._images = sum(len(labels) for _, labels in batches)

    def gradients(self) -> Tensors:
        """dL/dW of every layer."""
        total = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        for part, weights in self._parts(self.weights):
            for name, gradient in zip(weights, torch.autograd.grad(part, list(weights.values())), strict=True):
                total[name] += gradient
        return total

    def products(self, vectors: Mapping[str, torch.Tensor]) -> Tensors:
        """H v, where v consists of ``vectors`` and H is the joint Hessian over the weights of the layers they name.

        The product is exact, by differentiating twice (Pearlmutter, Fast exact multiplication by the Hessian, 1994).
        """
        total = {name: torch.zeros_like(vector) for name, vector in vectors.items()}
        for part, weights in self._parts(vectors):
            parameters = list(weights.values())
            gradients = torch.autograd.grad(part, parameters, create_graph=True)
            products = [(gradient * vectors[name]).sum() for name, gradient in zip(weights, gradients, strict=True)]
            along = reduce(torch.add, products)
            if not along.requires_grad:  # the loss is linear in all these weights
                continue
            seconds = torch.autograd.grad(along, parameters, allow_unused=True, materialize_grads=True)
            for name, second in zip(weights, seconds, strict=True):
                total[name] += second.detach()
        return total

    def _parts(self, layers: Iterable[str]) -> Iterator[tuple[torch.Tensor, Tensors]]:
        """Each batch's share of the mean loss, with a graph over the weights of ``layers``."""
        weights = {name: self.weights[name] for name in layers}
        for weight in weights.values():
            weight.requires_grad_(True)
        try:
            with torch.enable_grad():
                for images, labels in self._batches:
                    outputs = self._model(images.to(self._device))
                    yield self._loss(outputs, labels.to(self._device)) * (len(labels) / self._images), weights
        finally:
            for weight in weights.values():
                weight.requires_grad_(False)
