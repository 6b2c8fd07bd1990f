"""VGG-Small's layers and its smallest image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError


def test_the_smallest_image():
    model = models.vgg_small(classes=7, width=4, image_size=8).eval()
    assert model(torch.randn(1, 3, 8, 8)).shape == (1, 7)
    with pytest.raises(
        InputError,
        match=r"of 7x7 pixels nothing is left.*; the smallest image is 8x8",
    ):
        models.vgg_small(width=4, image_size=7)


def test_the_channels_double_behind_each_pooling():
    model = models.vgg_small(width=4)
    convolutions = [model.get_submodule(f"conv{number}").conv for number in range(1, 7)]
    assert [layer.out_channels for layer in convolutions] == [4, 4, 8, 8, 16, 16]
    assert (model.fc7.in_channels, model.fc7.kernel_size) == (16, (4, 4))
    assert isinstance(model.conv1.act, nn.Hardtanh)
