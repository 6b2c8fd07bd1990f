"""MobileNet has the paper's parameters; a separable block by hand."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.models.mobilenet import SeparableBlock


def test_the_published_number_of_parameters():
    """4.2 million (table 8 of the paper)."""
    assert sum(parameter.numel() for parameter in models.mobilenet().parameters()) == 4_231_976


def test_a_separable_block_is_a_depthwise_convolution_and_one_over_the_channels():
    block = SeparableBlock(4, 6, 2, "relu").eval()
    x = torch.randn(2, 4, 8, 8)
    spatial = F.conv2d(x, block.depthwise.conv.weight, stride=2, padding=1, groups=4) / (1 + 1e-5) ** 0.5
    mixed = torch.einsum("oc,nchw->nohw", block.pointwise.conv.weight[:, :, 0, 0], spatial.relu())
    torch.testing.assert_close(block(x), (mixed / (1 + 1e-5) ** 0.5).relu())
