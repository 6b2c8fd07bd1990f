"""The smaller network computes what the masked one computes, keeps the budget, and exports."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.slimming.channel_groups import channel_groups, mask, remove
from b2nn_tvm.mixbin.slimming.slim import slim
from b2nn_tvm.models.resnet import ResNet
from tests.support.mixbin.slimmable import Branches, bireal, lived_in

NETWORKS = {
    "shortcuts behind the activation": (bireal, (3, 16, 16)),
    "learned activations": (lambda: bireal("rprelu"), (3, 16, 16)),
    "shortcuts in front of it": (lambda: ResNet(classes=5, blocks=1, width=4), (3, 32, 32)),
    "branches": (Branches, (3, 8, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.sweep
def test_the_slimmed_network_computes_what_the_masked_one_computes(name):
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    model, x = lived_in(make()), torch.randn(2, *shape)
    found = slim(model, shape, parse_budget("50%flops"))
    with torch.no_grad():
        expected, small = mask(model, shape, found.removed)(x), found.model(x)
        whole = model(x)
    torch.testing.assert_close(small, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(expected, whole, atol=1e-3)
    weights = lambda net: sum(parameter.numel() for parameter in net.parameters())
    assert weights(found.model) < 0.8 * weights(model) == 0.8 * weights(mask(model, shape, found.removed))


def test_the_slimmed_network_exports_like_any_other(tmp_path):
    model, x = lived_in(Branches()), torch.randn(1, 3, 8, 8)
    small = slim(model, (3, 8, 8), parse_budget("50%flops")).model
    path = export_onnx(small, tmp_path / "m.onnx", input_shape=x.shape)
    (output,) = onnxruntime.InferenceSession(path).run(None, {"input": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(output, small(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("words", ["70%flops", "30%flops", "40%bytes"])
def test_the_budget_is_kept_by_the_largest_network_that_a_threshold_leaves(words):
    torch.manual_seed(0)
    make, shape = NETWORKS["shortcuts behind the activation"]
    model = lived_in(make())
    groups, found = channel_groups(model, shape), slim(model, shape, parse_budget(words))
    cost = lambda net: flops(net, shape) if "flops" in words else sum(4 * p.numel() for p in net.parameters())
    assert cost(found.model) == found.achieved <= found.limit
    assert found.full == cost(model) and found.share == found.achieved / found.full
    gone = lambda group: found.removed.get(group.root, ())
    assert max(g.scales[i] for g in groups for i in gone(g)) == found.threshold
    free = [s for g in groups for i, s in enumerate(g.scales) if i not in gone(g) and i not in g.kept]
    assert min(free) > found.threshold
    # One channel more, the last that went, and the budget is broken.
    (last,) = ((g.root, i) for g in groups for i in gone(g) if g.scales[i] == found.threshold)
    less = {root: [i for i in channels if (root, i) != last] for root, channels in found.removed.items()}
    assert cost(remove(model, shape, less)) > found.limit


def test_the_model_is_left_as_it_was():
    model = lived_in(Branches()).train()
    model.fc.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = slim(model, (3, 8, 8), parse_budget("60%flops"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training and found.model.training
    assert [p.requires_grad for p in found.model.parameters()] == [p.requires_grad for p in model.parameters()]


def test_a_budget_of_the_whole_network_removes_nothing():
    model = lived_in(Branches())
    found = slim(model, (3, 8, 8), parse_budget("100%flops"))
    assert found.removed == {} and found.share == 1 and found.threshold == 0


def test_what_cannot_be_slimmed_is_refused():
    model = lived_in(bireal())
    with pytest.raises(BudgetError, match="one channel per layer the network still costs [0-9]+ flops"):
        slim(model, (3, 16, 16), parse_budget("0.1%flops"))
    with pytest.raises(InputError, match="flops or bytes, not ms"):
        slim(model, (3, 16, 16), parse_budget("3ms"))
    with pytest.raises(InputError, match="no channel of this Sequential may go"):
        slim(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)), (3, 8, 8), parse_budget("50%flops"))
    with pytest.raises(InputError, match="this one has binary or quantized layers"):
        slim(convert(model, ["stage1.0.conv1"]), (3, 16, 16), parse_budget("50%flops"))
