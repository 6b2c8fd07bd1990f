"""Activations in a graph, on networks of one activation each."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.activation_nodes import drops_sign, is_activation, is_commuting, is_passing
from b2nn_tvm.mixbin.network.capture import capture


class Step(nn.Module):
    """One function of a tensor as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("activation", "drops"),
    [
        (nn.ReLU(), True),
        (nn.ReLU6(), True),
        (nn.Hardtanh(0.0, 1.0), True),
        (nn.Hardtanh(), False),
        (nn.PReLU(), False),
        (Step(lambda x: x.clamp(min=0)), True),
        (Step(lambda x: torch.clamp(x, -1, 1)), False),
        (Step(lambda x: F.hardtanh(x, 0.0, 6.0)), True),
    ],
)
def test_activations_and_whether_they_drop_the_sign(activation, drops):
    captured = capture(nn.Sequential(activation))
    (node,) = [node for node in captured.graph.nodes if node.op.startswith("call_")]
    assert is_activation(node, captured) and drops_sign(node, captured) == drops


def test_poolings_commute_with_activations_and_sums_do_not():
    captured = capture(nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), Step(lambda x: x + 1)))
    pool, mean, total = (node for node in captured.graph.nodes if node.op.startswith("call_"))
    assert [is_passing(node, captured) for node in (pool, mean, total)] == [True, True, False]
    assert [is_commuting(node, captured) for node in (pool, mean, total)] == [True, False, False]
    assert not any(is_activation(node, captured) for node in (pool, mean, total))


def test_enlarged_and_shuffled_images_are_passed_too():
    steps = [
        nn.Upsample(scale_factor=2),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.PixelShuffle(2),
        nn.ChannelShuffle(3),
    ]
    steps += [Step(lambda x: F.interpolate(x, scale_factor=2)), Step(lambda x: F.pixel_shuffle(x, 2))]
    captured = capture(nn.Sequential(*steps))
    nodes = [node for node in captured.graph.nodes if node.op.startswith("call_")]
    assert all(is_passing(node, captured) for node in nodes)
    assert [is_commuting(node, captured) for node in nodes] == [False, True, True, True, False, True]
