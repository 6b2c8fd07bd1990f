"""Sketch-A-Net's fully connected layers and its smallest image."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm import models
from b2nn_tvm.errors import InputError


def test_the_smallest_image():
    model = models.sketchanet(classes=7, width=4, image_size=81).eval()
    assert model(torch.randn(1, 1, 81, 81)).shape == (1, 7)
    with pytest.raises(
        InputError,
        match=r"of 80x80 pixels nothing is left.*; the smallest image is 81x81",
    ):
        models.sketchanet(width=4, image_size=80)


def test_a_fully_connected_layer_is_a_convolution_over_the_whole_image():
    model = models.sketchanet(width=4, image_size=105).eval()
    layer, x = model.fc6.conv, torch.randn(3, 16, 2, 2)
    assert (layer.kernel_size, model.fc7.conv.kernel_size) == ((2, 2), (1, 1))
    torch.testing.assert_close(layer(x).flatten(1), x.flatten(1) @ layer.weight.flatten(1).T)
