"""The forward pass against the reference; the gradients by hand and against the integral they come from."""

import numpy as np
import pytest
import torch

from b2nn_tvm import reference
from b2nn_tvm.mixbin.modules.sign import sign, straight_through

SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 0.5, -0.5, 1.0, -1.0, 7.0, -7.0, float("inf"), -float("inf"), float("nan")]


def test_sign_is_the_reference_on_special_values():
    x = torch.tensor(SPECIAL)
    assert sign(x).dtype == torch.float32
    assert np.array_equal(sign(x).numpy(), reference.sign(x.numpy()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_sign_keeps_the_type(dtype):
    assert sign(torch.tensor([-2.0, 0.0], dtype=dtype)).dtype == dtype


def test_sign_with_thresholds_is_the_reference():
    x = torch.tensor(SPECIAL).expand(2, 3, 1, len(SPECIAL))
    threshold = torch.tensor([0.5, float("inf"), -1.0])[:, None, None]
    assert np.array_equal(sign(x, threshold).numpy(), reference.sign(x.numpy(), threshold.numpy()))


def test_gradient_of_activations_by_hand():
    x = torch.tensor([-1.5, -1.0, -0.75, -0.5, 0.0, 0.25, 1.0, 2.0], requires_grad=True)
    sign(x).backward(torch.full_like(x, 3.0))
    assert x.grad.tolist() == [0.0, 0.0, 1.5, 3.0, 6.0, 4.5, 0.0, 0.0]


def test_gradient_of_thresholds_is_summed_over_what_they_broadcast_to():
    x = torch.tensor([[[[0.0, 0.5]], [[1.0, 9.0]]]], requires_grad=True)
    threshold = torch.tensor([0.25, 0.5])[:, None, None].requires_grad_()
    sign(x, threshold).sum().backward()
    assert x.grad.flatten().tolist() == [1.5, 1.5, 1.0, 0.0]
    assert threshold.grad.flatten().tolist() == [-3.0, -1.0]
    assert threshold.grad.shape == (2, 1, 1)


def test_gradient_of_weights_passes_inside_the_unit_interval_only():
    weight = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.0001], requires_grad=True)
    signs = torch.tensor([-1.0, -1.0, 1.0, 1.0, 1.0])
    passed = straight_through(weight, signs)
    passed.backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert torch.equal(passed, signs)
    assert weight.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]


def test_the_gradient_can_be_differentiated_again():
    x = torch.tensor([0.25, -0.25, 3.0], requires_grad=True)
    (first,) = torch.autograd.grad(sign(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.tolist() == [-2.0, 2.0, 0.0]
