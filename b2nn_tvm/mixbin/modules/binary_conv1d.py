"""A 1-D convolution of signs is one over images of a single row: y = squeeze(BinaryConv2d(unsqueeze(x)))."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d


class BinaryConv1d(BinaryConv2d):
    """y [N, O, W'] of x [N, C, W]; ``weight`` is [O, C / groups, k], as in a Conv1d, so that state dicts fit.

    All sizes are those of images of one row: ``kernel_size`` is (1, k), ``stride`` (1, s) and ``padding``
    (0, left, 0, right).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int], **options: Any) -> None:
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.weight = nn.Parameter(self.weight.detach().squeeze(2))

    @property
    def filters(self) -> torch.Tensor:
        return self.weight.unsqueeze(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.unsqueeze(-2)).squeeze(-2)
