"""ResNets in the Bi-Real layout, with a shortcut per convolution (Liu et al., Bi-Real Net, ECCV 2018, figure 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from b2nn_tvm.mixbin.modules import activations
from b2nn_tvm.models.resnet import initialize, make_projection, make_stage


def cresnet20(
    classes: int = 100, channels: int = 3, *, image_size: int = 32, width: int = 16, activation: str = "binrelu"
) -> BiRealNet:
    """ResNet-20 for small images in the Bi-Real layout, the MixBin paper's cResNet-20; input [N, channels, 32, 32].

    41,408,768 operations at 32x32 with 100 classes, 1,927,424 with its 18 eligible convolutions binary. ``width`` is
    the number of channels of the first stage; raises InputError for an unknown activation.
    """
    return BiRealNet(
        classes=classes,
        channels=channels,
        image_size=image_size,
        stem="cifar",
        widths=(width, 2 * width, 4 * width),
        blocks=3,
        activation=activation,
    )


def bireal18(
    classes: int = 1000, channels: int = 3, *, image_size: int = 224, width: int = 64, activation: str = "binrelu"
) -> BiRealNet:
    """ResNet-18 in the Bi-Real layout; input [N, channels, 224, 224].

    1,821,549,568 operations at 224x224, 171,461,632 with its 16 eligible convolutions binary. ``width`` is the number
    of channels of the first stage; raises InputError for an unknown activation.
    """
    return BiRealNet(
        classes=classes,
        channels=channels,
        image_size=image_size,
        stem="imagenet",
        widths=(width, 2 * width, 4 * width, 8 * width),
        blocks=2,
        activation=activation,
    )


class BiRealBlock(nn.Module):
    """Twice ``activation -> conv -> bn -> + shortcut``; around a convolution that changes the shape it is projected."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation: str):
        super().__init__()
        self.act1 = activations.make(activation, channels=in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act2 = activations.make(activation, channels=channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = make_projection(in_channels, channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(self.act1(x))) + shortcut
        y: torch.Tensor = self.bn2(self.conv2(self.act2(x)))
        return y + x


class BiRealNet(nn.Module):
    """A stem without an activation, stages of pre-activation blocks, average pooling and a classifier.

    ``stem`` is "cifar" (3x3) or "imagenet" (7x7 with stride 2, then 3x3 max pooling with stride 2). ``widths`` gives
    the channels of each stage; all stages but the first halve the image. Each stage has ``blocks`` blocks.
    Input [N, channels, image_size, image_size].
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int,
        image_size: int,
        stem: str,
        widths: Sequence[int],
        blocks: int,
        activation: str,
    ):
        super().__init__()
        small = stem == "cifar"
        kernel, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = nn.Conv2d(channels, widths[0], kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = None if small else nn.MaxPool2d(3, 2, 1)
        self.stages = tuple(f"stage{index + 1}" for index in range(len(widths)))
        in_channels = widths[0]
        for stage, width in zip(self.stages, widths):
            step = 1 if stage == "stage1" else 2
            layers = make_stage(BiRealBlock, in_channels, width, blocks=blocks, stride=step, activation=activation)
            setattr(self, stage, layers)
            in_channels = width
        reduction = 2 ** (len(widths) - 1) * (1 if small else 4)
        self.avgpool = nn.AvgPool2d(math.ceil(image_size / reduction))
        self.fc = nn.Linear(in_channels, classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x))
        x = x if self.maxpool is None else self.maxpool(x)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits
