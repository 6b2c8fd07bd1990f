"""Networks in the Bi-Real layout: a shortcut per convolution, every image size, every activation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.activations import BinReLU, RPReLU


@pytest.mark.parametrize("size", [33, 50])
def test_image_sizes_that_do_not_divide(size):
    assert models.cresnet20(image_size=size, width=4)(torch.randn(1, 3, size, size)).shape == (1, 100)
    assert models.bireal18(image_size=size, width=4)(torch.randn(1, 3, size, size)).shape == (1, 1000)


def test_activations_by_name():
    default = models.cresnet20(width=4)
    assert isinstance(default.stage2[0].act1, BinReLU)
    chosen = models.cresnet20(width=4, activation="rprelu")
    assert isinstance(chosen.stage2[0].act1, RPReLU)
    assert (chosen.stage2[0].act1.shift_in.numel(), chosen.stage2[0].act2.shift_in.numel()) == (4, 8)
    with pytest.raises(InputError, match="no activation 'swish'"):
        models.resnet18(activation="swish")


def test_bireal_block_has_one_shortcut_per_convolution():
    block = models.cresnet20(width=4).stage1[0].eval()
    nn.init.zeros_(block.bn1.weight)
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.ones_(block.bn2.weight)
    torch.testing.assert_close(block(x), block.conv2(x.clamp(min=-1)) / (1 + 1e-5) ** 0.5 + x)
