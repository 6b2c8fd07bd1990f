"""The MixBin paper's trunk for SiamFC (Bertinetto et al., ECCV 2016 workshops): ResNet-18 without its last stage.

    crop -> 3x3 convolution -> max pooling -> stage1 -> stage2 -> stage3 -> features

The paper counts its operations at a stem output of 64x64 and a first stage of 32x32. The stem has the stride 2 here, so
that SiamFC's own exemplar of 127x127 pixels gives just these sizes; with the stride 1 a crop of 64x64 gives them.
"""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.models.bireal import BiRealBlock
from b2nn_tvm.models.resnet import initialize, make_stage


class SiamFCTrunk(nn.Module):
    """A stem and three stages of two blocks; crops [N, channels, H, W] to features [N, 4 * width, H', W']."""

    def __init__(self, *, channels: int, width: int, stem_stride: int, activation: str):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stem_stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage1 = make_stage(BiRealBlock, width, width, blocks=2, stride=1, activation=activation)
        self.stage2 = make_stage(BiRealBlock, width, 2 * width, blocks=2, stride=2, activation=activation)
        self.stage3 = make_stage(BiRealBlock, 2 * width, 4 * width, blocks=2, stride=2, activation=activation)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.bn1(self.conv1(x)))
        features: torch.Tensor = self.stage3(self.stage2(self.stage1(x)))
        return features


def siamfc(channels: int = 3, *, width: int = 64, stem_stride: int = 2, activation: str = "binrelu") -> SiamFCTrunk:
    """A tracker's trunk: stages 1 to 3 of ResNet-18 in the Bi-Real layout; input [N, channels, H, W].

    428,818,432 operations at 127x127, 20,070,400 with its 12 eligible convolutions binary. The result is
    [N, 4 * width, H / stride, W / stride], rounded up, with stride = 8 * ``stem_stride``. ``width`` is the number of
    channels of the first stage; raises InputError for an unknown activation.
    """
    return SiamFCTrunk(channels=channels, width=width, stem_stride=stem_stride, activation=activation)
