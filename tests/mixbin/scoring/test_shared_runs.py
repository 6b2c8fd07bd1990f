"""Variants that share their start with a reference: the same statistics and losses as by running each on its own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional as F

from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.scoring.shared_runs import SharedRuns
from b2nn_tvm.mixbin.training.loss import mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.models.bireal import BiRealNet
from b2nn_tvm.models.resnet import ResNet

SHAPE = (3, 16, 16)


class LateShortcut(nn.Module):
    """torchvision's order: the projection of the shortcut runs after the convolutions of the other branch."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, 1, 1)
        self.short, self.fc = nn.Conv2d(4, 6, 1, 2), nn.Linear(6, 5)
        self.bn0, self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(c) for c in (4, 6, 6, 6))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.bn0(self.stem(x)))
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.bn3(self.short(x))
        return self.fc(F.relu(y, inplace=True).mean(dim=(2, 3)))


class SharedNorm(nn.Module):
    """One batch norm called twice: its statistics are of both calls."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.bn, self.act, self.fc = nn.BatchNorm2d(4), nn.Tanh(), nn.Linear(4, 5)

    def forward(self, x):
        x = self.act(self.bn(self.conv1(self.act(self.stem(x)))))
        return self.fc(self.act(self.bn(self.conv2(x))).mean(dim=(2, 3)))


class Overwrites(SharedNorm):
    """A value is changed after it was computed, by a method that is no activation."""

    def __init__(self):
        super().__init__()
        self.bn2 = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.act(self.bn(self.conv1(self.act(self.stem(x)))))
        y = self.bn2(self.conv2(x))
        x.mul_(2.0)
        return self.fc(y.mean(dim=(2, 3)) + x.mean(dim=(2, 3)))


NETWORKS = {
    "shortcuts behind the activation": lambda: BiRealNet(
        classes=5, channels=3, image_size=16, stem="cifar", widths=(4, 8), blocks=1, activation="binrelu"
    ),
    "functional and in place": LateShortcut,
    "shortcuts in front of the activation": lambda: ResNet(classes=5, blocks=1, width=4),
    "one batch norm twice": SharedNorm,
    "a value overwritten": Overwrites,
}


@pytest.fixture(scope="module")
def batches():
    torch.manual_seed(0)
    return [(torch.randn(count, *SHAPE), torch.randint(0, 5, (count,))) for count in (8, 5)]


def alone(model: nn.Module, batches) -> tuple[nn.Module, float]:
    settled = reestimate(copy.deepcopy(model), batches)
    return settled, mean_loss(settled, batches)


def statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if "running" in name}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.sweep
def test_each_variant_is_what_it_is_alone(name, batches):
    torch.manual_seed(1)
    model = NETWORKS[name]().eval()
    layers = trace(model, SHAPE).eligible
    choices = [(layer,) for layer in layers] + [tuple(layers[-2:]), (layers[0], layers[-1]), (), (layers[0],)]
    runs = SharedRuns(convert(model, ()), batches)
    assert runs.loss(F.cross_entropy) == pytest.approx(alone(model, batches)[1], abs=1e-6)
    for choice in choices:  # at the end the order is not the network's, and the reference starts over
        variant = convert(model, choice)
        expected, loss = alone(variant, batches)
        found = runs.reestimated(variant)
        assert found.loss(F.cross_entropy) == pytest.approx(loss, abs=1e-5)
        for key, tensor in statistics(found.model).items():
            torch.testing.assert_close(tensor, statistics(expected)[key], rtol=1e-4, atol=1e-5)


def test_what_is_in_front_of_a_change_is_computed_once(batches, monkeypatch):
    torch.manual_seed(1)
    model = nn.Sequential(*(m for i in range(9) for m in (nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh())))
    calls = []
    real = F.conv2d

    def counted(image, *args, **options):
        calls.extend([] if isinstance(image, FakeTensor) else [1])  # tracing computes shapes alone
        return real(image, *args, **options)

    monkeypatch.setattr(F, "conv2d", counted)
    layers = [str(3 * i) for i in range(1, 9)]
    runs = SharedRuns(convert(model, ()), batches)
    passes = 2 * len(batches)  # to re-estimate and to answer
    runs.loss(lambda outputs, labels: outputs.mean())
    assert len(calls) == 9 * passes
    calls.clear()
    for layer in layers:
        runs.reestimated(convert(model, (layer,))).loss(lambda outputs, labels: outputs.mean())
    # Layer i runs with the 8 - i layers behind it; the reference goes on from layer to layer, once.
    assert len(calls) == passes * (sum(9 - i for i in range(1, 9)) + 8)


def test_gradients_reach_the_part_that_is_not_shared(batches):
    torch.manual_seed(1)
    model = NETWORKS["shortcuts behind the activation"]().eval()
    layers = trace(model, SHAPE).eligible
    variant = convert(model, (layers[-1],))
    expected, _ = alone(variant, batches)
    found = SharedRuns(convert(model, ()), batches).reestimated(variant)
    gradients = []
    for answers, net in ((found.answers(), variant), (((expected(x), y) for x, y in batches), expected)):
        loss = sum(F.cross_entropy(outputs, labels) for outputs, labels in answers)
        gradients.append(torch.autograd.grad(loss, net.get_submodule(layers[-1]).weight)[0])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_weights_that_differ_are_not_shared(batches):
    """A variant trained on meanwhile is another network from its first changed layer on."""
    torch.manual_seed(1)
    model = NETWORKS["shortcuts behind the activation"]().eval()
    runs = SharedRuns(convert(model, ()), batches)
    changed = convert(model, (trace(model, SHAPE).eligible[-1],))
    with torch.no_grad():
        changed.conv1.weight[0] += 0.5
        changed.bn1.weight[0] -= 0.5
    _, loss = alone(changed, batches)
    assert runs.reestimated(changed).loss(F.cross_entropy) == pytest.approx(loss, abs=1e-5)
