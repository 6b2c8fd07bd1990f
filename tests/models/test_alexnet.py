"""AlexNet's layers and its smallest image."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm import models
from b2nn_tvm.errors import InputError


def test_the_smallest_image():
    model = models.alexnet(classes=7, width=4, image_size=63).eval()
    assert model(torch.randn(1, 3, 63, 63)).shape == (1, 7)
    with pytest.raises(
        InputError,
        match=r"of 62x62 pixels nothing is left.*; the smallest image is 63x63",
    ):
        models.alexnet(width=4, image_size=62)


def test_the_channels_are_those_of_the_paper():
    state = models.alexnet(classes=10).state_dict()
    convolutions = {name.split(".")[0]: tuple(value.shape) for name, value in state.items() if value.ndim == 4}
    assert convolutions == {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 96, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 384, 3, 3),
        "conv5": (256, 384, 3, 3),
        "fc6": (4096, 256, 6, 6),
        "fc7": (4096, 4096, 1, 1),
        "fc8": (10, 4096, 1, 1),
    }
