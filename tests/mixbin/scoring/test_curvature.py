"""Gradients and Hessian products, against the explicit Hessian of a tiny network."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.scoring.curvature import Curvature
from tests.support.mixbin.explicit_hessian import LAYERS, flat


def test_gradients_and_products_are_those_of_the_explicit_hessian(tiny, tiny_batches, derivatives):
    gradient, hessian = derivatives
    curvature = Curvature(tiny, LAYERS, tiny_batches, F.cross_entropy)
    torch.testing.assert_close(flat(curvature.gradients()), gradient)
    vectors = {name: torch.randn(2, 2, 1, 1, dtype=torch.float64) for name in LAYERS}
    torch.testing.assert_close(flat(curvature.products(vectors)), hessian @ flat(vectors))
    alone = curvature.products({"second": vectors["second"]})["second"]
    torch.testing.assert_close(alone.flatten(), hessian[4:, 4:] @ vectors["second"].flatten())
    assert tiny.training and all(parameter.requires_grad for parameter in tiny.parameters())


def test_a_loss_without_curvature_has_none(tiny, tiny_batches):
    """The mean output is linear in the last layer's weights."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).double()
    curvature = Curvature(model, ["0"], tiny_batches, lambda outputs, labels: outputs.mean())
    assert not curvature.products({"0": torch.ones(2, 1, 3, 3, dtype=torch.float64)})["0"].any()
