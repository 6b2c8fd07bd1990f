"""Stages by hand, and a chain of them."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.models.conv_chain import ConvChain, Stage


@pytest.mark.parametrize(
    ("stage", "size", "expected"),
    [
        (Stage(8, 3), 8, 6),
        (Stage(8, 3, padding=1), 8, 8),
        (Stage(8, 3, stride=2, padding=1), 8, 4),
        (Stage(8, 3, padding=1, pool=2), 8, 4),
        (Stage(8, 3, padding=1, pool=3), 8, 3),
        (Stage(8, 5), 4, 0),
    ],
)
def test_the_size_behind_a_stage(stage, size, expected):
    assert stage.out_size(size) == expected


def chain(image_size: int) -> ConvChain:
    stages = (Stage(4, 3), Stage(6, 3, pool=2))
    options = {"classes": 5, "channels": 2, "activation": "relu"}
    return ConvChain(stages, hidden=(7, 8), image_size=image_size, **options)


def test_fully_connected_layers_count_on_and_cover_what_is_left():
    """10 - 2 - 2 pixels, halved, are 3."""
    model = chain(10)
    assert [name for name, _ in model.named_children()] == ["conv1", "conv2", "fc3", "fc4", "fc5", "flatten"]
    assert [layer.kernel_size for layer in (model.fc3.conv, model.fc4.conv, model.fc5)] == [(3, 3), (1, 1), (1, 1)]
    assert model(torch.randn(3, 2, 10, 10)).shape == (3, 5)


def test_an_image_of_which_nothing_is_left_is_refused():
    assert chain(6)(torch.randn(2, 2, 6, 6)).shape == (2, 5)
    with pytest.raises(InputError, match=r"of 5x5 pixels nothing is left after 2 conv.*smallest image is 6x6"):
        chain(5)
