"""ResNet-18 has torchvision's parameters; its parts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.models.resnet import BasicBlock, make_projection, make_stage
from tests.support.models.small_networks import NORM


def test_resnet18_has_torchvisions_parameter_names_and_shapes():
    state = models.resnet18().state_dict()
    blocks = {f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)}
    expected = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{entry}" for entry in NORM)}
    for block in blocks:
        expected |= {f"{block}.conv1.weight", f"{block}.conv2.weight"}
        expected |= {f"{block}.{name}.{entry}" for name in ("bn1", "bn2") for entry in NORM}
    for stage in (2, 3, 4):
        expected |= {f"layer{stage}.0.downsample.0.weight", *(f"layer{stage}.0.downsample.1.{entry}" for entry in NORM)}
    assert set(state) == expected
    assert sum(parameter.numel() for parameter in models.resnet18().parameters()) == 11_689_512
    assert state["layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)


def test_a_block_has_one_shortcut_and_one_activation():
    block = BasicBlock(4, 4, 1, "relu").eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize(("channels", "stride", "projects"), [(4, 1, False), (4, 2, True), (8, 1, True)])
def test_a_shortcut_is_projected_where_the_shape_changes(channels, stride, projects):
    projection = make_projection(4, channels, stride)
    assert (projection is not None) == projects
    if projects:
        assert projection(torch.randn(2, 4, 6, 6)).shape == (2, channels, 6 // stride, 6 // stride)


def test_only_the_first_block_of_a_stage_is_strided():
    stage = make_stage(BasicBlock, 4, 8, blocks=3, stride=2, activation="relu")
    assert [block.conv1.stride for block in stage] == [(2, 2), (1, 1), (1, 1)]
    assert [block.conv1.in_channels for block in stage] == [4, 8, 8]
