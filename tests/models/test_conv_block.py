"""The pooling of a block stands in front of batch norm."""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.models.conv_block import ConvBlock


def test_the_pooling_comes_before_batch_norm():
    """Channel 1 has a negative gamma: the largest value behind batch norm would be the smallest in front of it."""
    block = ConvBlock(1, 2, 1, pool=nn.MaxPool2d(2), activation="hardtanh").eval()
    with torch.no_grad():
        block.conv.weight.copy_(torch.tensor([2.0, 2.0]).reshape(2, 1, 1, 1))
        block.bn.weight.copy_(torch.tensor([1.0, -1.0]))
        block.bn.running_mean.copy_(torch.tensor([0.5, 0.5]))
    x = torch.tensor([[[[0.1, -3.0], [0.0, 0.35]]]])
    torch.testing.assert_close(block(x).flatten(), torch.tensor([0.2, -0.2]), rtol=1e-4, atol=1e-5)


def test_without_a_pooling_and_with_groups():
    block = ConvBlock(4, 4, 3, stride=2, padding=1, groups=4, activation="relu")
    assert block.pool is None and block.conv.bias is None and block.conv.weight.shape == (4, 1, 3, 3)
    y = block(torch.randn(2, 4, 7, 7))
    assert y.shape == (2, 4, 4, 4) and y.min() >= 0
