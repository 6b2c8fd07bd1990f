"""MobileNet, version 1 (Howard et al., 2017, table 1): depthwise separable convolutions in a row."""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.models.conv_block import ConvBlock
from b2nn_tvm.models.resnet import initialize

# The channels of each block, as multiples of the first convolution's, and its stride. The last stride is 1: the paper's
# table prints 2 there, but gives 7x7 for the input and for the output of this block.
_BLOCKS = ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *5 * ((16, 1),), (32, 2), (32, 1))


def mobilenet(classes: int = 1000, channels: int = 3, *, width: int = 32, activation: str = "relu") -> MobileNet:
    """MobileNet v1; input [N, channels, H, W].

    583,868,416 operations at 224x224, 52,805,632 with its 13 eligible (pointwise) convolutions binary; the depthwise
    ones stay float. ``width`` is the number of channels of the first convolution, 32 times the paper's multiplier;
    raises InputError for an unknown activation.
    """
    return MobileNet(classes=classes, channels=channels, width=width, activation=activation)


class SeparableBlock(nn.Module):
    """A 3x3 depthwise convolution, then a 1x1 convolution over the channels, each with batch norm and activation."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation: str):
        super().__init__()
        self.depthwise = ConvBlock(
            in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, activation=activation
        )
        self.pointwise = ConvBlock(in_channels, channels, 1, activation=activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.pointwise(self.depthwise(x))
        return y


class MobileNet(nn.Module):
    """A strided 3x3 convolution, 13 separable blocks, global average pooling and a classifier; input [N, C, H, W]."""

    def __init__(self, *, classes: int, channels: int, width: int, activation: str):
        super().__init__()
        self.conv1 = ConvBlock(channels, width, 3, stride=2, padding=1, activation=activation)
        in_channels, blocks = width, []
        for factor, stride in _BLOCKS:
            blocks.append(SeparableBlock(in_channels, width * factor, stride, activation))
            in_channels = width * factor
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(in_channels, classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.avgpool(self.blocks(self.conv1(x)))
        logits: torch.Tensor = self.fc(torch.flatten(x, 1))
        return logits
