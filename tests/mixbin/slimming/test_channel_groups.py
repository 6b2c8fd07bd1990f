"""Which channels go together, and which must stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.mixbin.slimming.channel_groups import channel_groups, mask, remove
from tests.support.mixbin.slimmable import Branches, bireal, block, lived_in


def test_tied_channels_have_the_mean_of_their_scales():
    model = lived_in(bireal())
    (stream,) = [group for group in channel_groups(model, (3, 16, 16)) if group.root == "conv1"]
    norms = [model.bn1, *(norm for block in model.stage1 for norm in (block.bn1, block.bn2))]
    assert stream.scales == pytest.approx(torch.stack([norm.weight for norm in norms]).abs().mean(0).tolist())


def test_outputs_and_grouped_convolutions_keep_their_channels():
    roots = {group.root for group in channel_groups(Branches(), (3, 8, 8))}
    assert roots == {"depthwise.0", "last.0"}  # the first stands for both branches that it is tied to
    backbone = nn.Sequential(block(3, 4), block(4, 4))  # its last features are what it is for
    assert [group.root for group in channel_groups(backbone, (3, 8, 8))] == ["0.0"]


def test_channels_that_are_multiplied_by_weights_of_no_module_stay():
    class OwnHead(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(block(3, 4), block(4, 4)), nn.Parameter(torch.randn(4, 2))

        def forward(self, image):
            return self.body(image).mean((2, 3)) @ self.head

    assert [group.root for group in channel_groups(OwnHead(), (3, 8, 8))] == ["body.0.0"]


def test_every_layer_keeps_a_channel():
    model = lived_in(Branches())
    with torch.no_grad():
        model.left[1].weight.fill_(1e-3)  # all of this branch would go first
    groups = channel_groups(model, (3, 8, 8))
    everything = {g.root: [i for i in range(len(g.scales)) if i not in g.kept] for g in groups}
    smallest = remove(model, (3, 8, 8), everything)
    assert smallest.left[0].out_channels == smallest.right[0].out_channels == smallest.last[0].out_channels == 1


def test_removed_and_masked_channels_are_out_of_every_place_that_has_them():
    model = block(3, 4)
    model.append(nn.Conv2d(4, 2, 1))
    small = remove(model, (3, 8, 8), {"0": [1, 3]})
    assert [small[0].out_channels, small[1].num_features, small[3].in_channels] == [2, 2, 2]
    assert torch.equal(small[0].weight, model[0].weight[[0, 2]])
    masked = mask(model, (3, 8, 8), {"0": [1, 3]})
    assert not masked[0].weight[[1, 3]].any() and not masked[1].weight[[1, 3]].any()
    assert not masked[3].weight[:, [1, 3]].any() and torch.equal(masked[0].weight[[0, 2]], model[0].weight[[0, 2]])
