"""Values and gradients are those of the paper's equations."""

import math

import pytest
import torch

from b2nn_tvm.mixbin.modules.learned_step import gradient_scale, initial_step, quantize

V = torch.tensor([-9.0, -1.01, -0.5, -0.49, 0.0, 0.26, 0.25, 0.75, 0.9, 40.0])


@pytest.mark.parametrize(("low", "high"), [(0, 3), (-2, 1), (-8, 7), (-11, 244)])
def test_values_and_both_gradients(low, high):
    step = torch.tensor(0.5, requires_grad=True)
    v = V.clone().requires_grad_()
    found = quantize(v, step, low, high, slope=0.25)
    ratio = V / 0.5
    codes = ratio.clamp(low, high).round()
    assert torch.equal(found, codes * 0.5)
    upstream = torch.arange(1.0, len(V) + 1)
    (found * upstream).sum().backward()
    inside = (ratio >= low) & (ratio <= high)
    torch.testing.assert_close(v.grad, upstream * inside, rtol=0, atol=0)
    # Equation 3: round(v/s) - v/s inside; at the very ends of the range both forms are equal.
    slope = torch.where(inside, codes - ratio, codes)
    assert step.grad.item() == pytest.approx(0.25 * float((slope * upstream).sum()), rel=1e-5)


def test_steps_per_filter_have_gradients_of_their_own():
    step = torch.tensor([[0.5], [2.0]], requires_grad=True)
    quantize(torch.tensor([[0.6, 5.0], [0.5, -9.0]]), step, -2, 1).sum().backward()
    assert step.grad.flatten().tolist() == pytest.approx([1 + 1, (0 - 0.25) - 2])


def test_gradients_may_be_differentiated_again():
    v = torch.tensor([0.3, 0.6], dtype=torch.float64, requires_grad=True)
    step = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(quantize(v, step, 0, 3).square().sum(), v, create_graph=True)
    assert torch.autograd.grad(first.sum(), v)[0].tolist() == [2.0, 2.0]


def test_scales_of_the_paper():
    assert gradient_scale(100, 4) == 1 / 20
    assert float(initial_step(torch.tensor(0.3), 3)) == pytest.approx(0.6 / math.sqrt(3))
    assert float(initial_step(torch.tensor(0.0), 3)) > 0
