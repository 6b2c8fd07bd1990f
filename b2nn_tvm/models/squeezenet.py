"""SqueezeNet 1.1 (Iandola et al., 2016, and the authors' later release), with batch norm in place of biases."""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.mixbin.modules import activations
from b2nn_tvm.models.conv_block import ConvBlock
from b2nn_tvm.models.resnet import initialize


def squeezenet(classes: int = 1000, channels: int = 3, *, width: int = 64, activation: str = "relu") -> SqueezeNet:
    """SqueezeNet 1.1 with batch norm and without dropout; input [N, channels, H, W], H and W at least 17.

    354,847,784 operations at 224x224, 117,285,368 with its 24 eligible convolutions binary. ``width`` is the number of
    channels of the first convolution, at least 4; raises InputError for an unknown activation.
    """
    return SqueezeNet(classes=classes, channels=channels, width=width, activation=activation)


class Fire(nn.Module):
    """x -> squeeze 1x1 -> {expand 1x1, expand 3x3} -> concatenation -> max pooling if ``pool`` -> bn -> activation.

    Both halves of the result have ``expand`` channels. conv_block.py says why the pooling is in front of batch norm.
    """

    def __init__(self, in_channels: int, squeeze: int, expand: int, *, pool: bool, activation: str):
        super().__init__()
        self.squeeze = ConvBlock(in_channels, squeeze, 1, activation=activation)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1, bias=False)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1, bias=False)
        self.pool = _max_pool() if pool else None
        self.bn = nn.BatchNorm2d(2 * expand)
        self.act = activations.make(activation, channels=2 * expand)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x)
        x = torch.cat([self.expand1x1(x), self.expand3x3(x)], 1)
        x = x if self.pool is None else self.pool(x)
        y: torch.Tensor = self.act(self.bn(x))
        return y


class SqueezeNet(nn.Module):
    """conv1, fire2 to fire9, the classifier conv10 and global average pooling; input [N, C, H, W]."""

    def __init__(self, *, classes: int, channels: int, width: int, activation: str):
        super().__init__()
        self.conv1 = ConvBlock(channels, width, 3, stride=2, pool=_max_pool(), activation=activation)
        in_channels = width
        fires = []
        for index, factor in enumerate((1, 1, 2, 2, 3, 3, 4, 4)):
            pool = index in (1, 3)
            fires.append(Fire(in_channels, width * factor // 4, width * factor, pool=pool, activation=activation))
            in_channels = 2 * width * factor
        self.fires = tuple(f"fire{number}" for number in range(2, 2 + len(fires)))
        for name, fire in zip(self.fires, fires):
            setattr(self, name, fire)
        self.conv10 = nn.Conv2d(in_channels, classes, 1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        for name in self.fires:
            x = getattr(self, name)(x)
        return torch.flatten(self.avgpool(self.conv10(x)), 1)


def _max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)
