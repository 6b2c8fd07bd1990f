"""Functions with gradients of their own keep them in a graph."""

from __future__ import annotations

import pickle

import torch
from torch import nn

from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.tracing.own_gradients import OwnGradient, reporting


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return StraightThrough.apply(self.conv(x)) * 2


def test_the_gradient_is_the_functions_own():
    model = Net()
    graph = pickle.loads(pickle.dumps(capture(model, (3, 4, 4))))
    x = torch.randn(2, 3, 4, 4)
    for each in (model, graph):
        each(x).sum().backward()
    torch.testing.assert_close(graph.conv.bias.grad, model.conv.bias.grad, rtol=0, atol=0)
    assert model.conv.bias.grad.tolist() == [2 * 4 * 4 * 2 * 3] * 2


def test_the_function_is_as_before_afterwards():
    before, calls = vars(torch.autograd.Function)["apply"], []
    with reporting(lambda function, args, kwargs, run: (calls.append(function), run())[1]):
        assert StraightThrough.apply(torch.tensor(-2.0)) == -1
    assert calls == [OwnGradient(StraightThrough)]
    assert vars(torch.autograd.Function)["apply"] is before
