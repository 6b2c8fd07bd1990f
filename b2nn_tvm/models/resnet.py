"""ResNet-18 in torchvision's layout and with its parameter names (He et al., Deep Residual Learning, CVPR 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from b2nn_tvm.mixbin.modules import activations


def resnet18(classes: int = 1000, channels: int = 3, *, width: int = 64, activation: str = "relu") -> ResNet:
    """ResNet-18 with torchvision's parameter names; input [N, channels, H, W], H and W at least 32.

    1,821,399,040 operations at 224x224, 171,311,104 with its 16 eligible convolutions binary. ``width`` is the number
    of channels of the first stage; raises InputError for an unknown activation.
    """
    return ResNet(classes=classes, channels=channels, width=width, activation=activation)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: relu(bn(conv(relu(bn(conv(x))))) + shortcut(x)), with one relu module."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation: str):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = activations.make(activation, channels=channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = make_projection(in_channels, channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        y: torch.Tensor = self.relu(self.bn2(self.conv2(x)) + shortcut)
        return y


class ResNet(nn.Module):
    """A stem, four stages of ``blocks`` blocks, global average pooling and a classifier; input [N, C, H, W]."""

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, *, classes: int, channels: int = 3, blocks: int = 2, width: int = 64, activation: str = "relu"):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = activations.make(activation, channels=width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        in_channels = width
        for stage in range(4):
            out_channels, stride = width * 2**stage, 2 if stage else 1
            layer = make_stage(
                BasicBlock, in_channels, out_channels, blocks=blocks, stride=stride, activation=activation
            )
            setattr(self, f"layer{stage + 1}", layer)
            in_channels = out_channels
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(in_channels, classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits


def make_projection(in_channels: int, channels: int, stride: int) -> nn.Sequential | None:
    """The shortcut around a convolution, with batch norm; None where the convolution keeps the shape of its input."""
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))


def make_stage(
    block: Callable[[int, int, int, str], nn.Module],
    in_channels: int,
    channels: int,
    *,
    blocks: int,
    stride: int,
    activation: str,
) -> nn.Sequential:
    """A stage of ``blocks`` blocks, ``block(in_channels, channels, stride, activation)``; the first has ``stride``."""
    first = block(in_channels, channels, stride, activation)
    return nn.Sequential(first, *(block(channels, channels, 1, activation) for _ in range(blocks - 1)))


def initialize(model: nn.Module) -> None:
    """Initialize all convolutions of ``model`` by He's method (fan out), as torchvision's ResNets do."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
