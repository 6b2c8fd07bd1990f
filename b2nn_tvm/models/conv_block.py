"""Convolution, max pooling, batch norm and activation, in an order after which a sign still carries information.

The pooling comes before batch norm, as in XNOR-Net (Rastegari et al., ECCV 2016, section 3.2): the maximum of values
around 0 is nearly always positive, so the sign of pooled normalized values would be +1 nearly everywhere. Batch norm
behind the pooling centres the values that the sign reads.
"""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.mixbin.modules import activations


class ConvBlock(nn.Module):
    """activation(bn(pool(conv(x)))), x [N, in_channels, H, W]; without ``pool`` there is no pooling."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        pool: nn.Module | None = None,
        activation: str,
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel, stride, padding, groups=groups, bias=False)
        self.pool = pool
        self.bn = nn.BatchNorm2d(channels)
        self.act = activations.make(activation, channels=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = x if self.pool is None else self.pool(x)
        y: torch.Tensor = self.act(self.bn(x))
        return y
