"""What two graphs of one network have in common, on chains and a shortcut."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.graph_match import cut, match, overwrites_any


class Shortcut(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(2, 2, 1) for _ in range(3))
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        x = self.norm(self.first(x))
        return self.third(self.second(x)) + x


def matched(variant: nn.Module, reference: nn.Module) -> tuple[set[str], int]:
    """The names of the nodes that match, and how many nodes of the reference need not be computed again."""
    one, two = capture(variant), capture(reference)
    found = match(one, two)
    assert all(node.name == other.name for node, other in found.items())
    return {node.name for node in found}, cut(one, found, two)


def test_a_copy_matches_whole_but_for_the_output():
    model = Shortcut()
    assert matched(copy.deepcopy(model), model)[0] == {"x", "first", "norm", "second", "third", "add"}


def test_nothing_matches_behind_a_changed_weight():
    """x, first, norm and second are computed once; the shortcut's x is still read by the rest of the reference."""
    model = Shortcut()
    variant = copy.deepcopy(model)
    with torch.no_grad():
        variant.third.weight[0] += 1
    assert matched(variant, model) == ({"x", "first", "norm", "second"}, 4)
    with torch.no_grad():
        variant.first.weight[0] += 1
    assert matched(variant, model) == ({"x"}, 1)


def test_running_statistics_do_not_count_but_parameters_of_batch_norm_do():
    model = Shortcut()
    variant = copy.deepcopy(model)
    variant.norm.running_mean.fill_(3.0)
    assert "norm" in matched(variant, model)[0]
    with torch.no_grad():
        variant.norm.bias[0] = 1.0
    assert matched(variant, model)[0] == {"x", "first"}


def test_another_kind_of_layer_does_not_match():
    model = Shortcut()
    variant = copy.deepcopy(model)
    variant.second = nn.Identity()
    assert matched(variant, model)[0] == {"x", "first", "norm"}


class Step(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (nn.ReLU(), False),
        (nn.ReLU(inplace=True), True),
        (nn.Dropout(inplace=True), True),
        (Step(lambda x: x.mul(2)), False),
        (Step(lambda x: x.mul_(2)), True),
        (Step(lambda x: torch.add(x, x, out=x)), True),
        (Step(lambda x: F.relu(x, inplace=True)), True),
    ],
)
def test_what_overwrites_any_a_tensor_is_found(model, expected):
    assert overwrites_any(capture(nn.Sequential(nn.Conv2d(2, 2, 1), model))) == expected
