"""Which classes are one node of a graph."""

from __future__ import annotations

import pytest
from torch import nn

from b2nn_tvm.mixbin.modules.activations import LeakyClip
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.tracing.leaves import is_leaf, is_torch_class


class Conv3x3(nn.Conv2d):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 3, padding=1)


class Deeper(Conv3x3):
    pass


class OwnForward(nn.Conv2d):
    def forward(self, x):
        return x


class OwnConv(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        return x


class Block(nn.Sequential):
    pass


class Plain(nn.Module):
    pass


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.ReLU(), True),
        (Conv3x3(1, 1), True),
        (Deeper(1, 1), True),
        (type("Norm", (nn.BatchNorm2d,), {})(2), True),
        (BinaryConv2d(1, 1, (1, 1)), True),
        (LeakyClip(), True),
        (OwnForward(1, 1, 1), False),
        (OwnConv(1, 1, 1), False),
        (nn.Sequential(), False),
        (Block(nn.ReLU()), False),
        (nn.ModuleList(), False),
        (Plain(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_leaves(module, expected):
    assert is_leaf(module) == expected


def test_classes_of_torch():
    assert [is_torch_class(kind) for kind in (nn.Conv2d, nn.Module, Conv3x3, object)] == [True, False, False, False]
