"""Slimming: the smaller network computes what the masked one computes, keeps the budget, exports; the penalty by
hand.
"""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.costs.additive import parse_budget
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.slimming.channel_groups import channel_groups, mask, remove
from b2nn_tvm.mixbin.slimming.slim import slim
from b2nn_tvm.mixbin.slimming.train_sparse import SparseScales, slim_train
from b2nn_tvm.models.bireal import BiRealNet
from b2nn_tvm.models.resnet import ResNet


def block(inputs: int, outputs: int, **options) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, **options), nn.BatchNorm2d(outputs), nn.ReLU())


class Branches(nn.Module):
    """A concatenation, a depthwise and a grouped convolution, an activation whose 0 is not 0, and a flattened map."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.depthwise = block(3, 6), block(3, 4), block(10, 10, groups=10)
        self.joined, self.grouped = block(10, 8), block(8, 8, groups=2)
        self.last, self.fc = block(8, 5), nn.Linear(5 * 4 * 4, 3)

    def forward(self, x):
        x = torch.sigmoid(self.joined(self.depthwise(torch.cat([self.left(x), self.right(x)], 1))))
        x = F.max_pool2d(self.last(self.grouped(x)), 2)
        return self.fc(x.flatten(1))


def lived_in(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim != 4:  # all but convolutions
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return model.eval()


def bireal(activation: str = "binrelu") -> nn.Module:
    options = {"channels": 3, "image_size": 16, "stem": "cifar", "widths": (4, 8), "blocks": 1}
    return BiRealNet(classes=5, activation=activation, **options)


NETWORKS = {
    "shortcuts behind the activation": (bireal, (3, 16, 16)),
    "learned activations": (lambda: bireal("rprelu"), (3, 16, 16)),
    "shortcuts in front of it": (lambda: ResNet(classes=5, blocks=1, width=4), (3, 32, 32)),
    "branches": (Branches, (3, 8, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
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


def test_every_layer_keeps_a_channel():
    model = lived_in(Branches())
    with torch.no_grad():
        model.left[1].weight.fill_(1e-3)  # all of this branch would go first
    groups = channel_groups(model, (3, 8, 8))
    everything = {g.root: [i for i in range(len(g.scales)) if i not in g.kept] for g in groups}
    smallest = remove(model, (3, 8, 8), everything)
    assert smallest.left[0].out_channels == smallest.right[0].out_channels == smallest.last[0].out_channels == 1


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
    with pytest.raises(InputError, match="this one has binary layers"):
        slim(convert(model, ["stage1.0.conv1"]), (3, 16, 16), parse_budget("50%flops"))


def test_the_penalty_adds_the_signs_of_the_scales_to_their_gradients():
    torch.manual_seed(0)
    model = block(3, 4)
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([0.5, -0.25, 0.0, 2.0]))
    x, labels = torch.randn(5, 3, 4, 4), torch.tensor([0, 1, 2, 3, 0])
    gradients = []
    for objective in (SparseScales(0.01, (model[1].weight,)), lambda y, batch: F.cross_entropy(y, batch[1])):
        model.zero_grad()
        objective(model(x).mean(dim=(2, 3)), (x, labels)).backward()
        gradients.append(model[1].weight.grad.clone())
    torch.testing.assert_close(gradients[0] - gradients[1], torch.tensor([0.01, -0.01, 0.0, 0.01]))


def test_training_with_the_penalty_makes_the_scales_small():
    torch.manual_seed(0)
    split = lambda: TensorImages(torch.randn(32, 3, 8, 8), torch.randint(0, 3, (32,)))
    data = DataBundle("noise", split(), split(), split(), ("a", "b", "c"), (3, 8, 8), (0,) * 3, (1,) * 3)
    sums = []
    for strength in (1e-9, 1e-1):
        torch.manual_seed(0)
        model = Branches()
        result = slim_train(model, data, epochs=3, strength=strength, lr=0.05, batch=16)
        assert [record.stage for record in result.history] == ["sparse"] * 3
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        sums.append(sum(float(norm.weight.detach().abs().sum()) for norm in norms))
    assert sums[1] < 0.9 * sums[0]
    with pytest.raises(InputError, match="there are 0, and it is 0.0001"):
        slim_train(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), data, epochs=1)
