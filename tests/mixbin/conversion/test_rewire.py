"""Activations that a binary convolution shares with others: against forward passes written by hand."""

import copy
import pickle

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.activations import BinReLU
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def binary(module):
    return BinaryConv2d.from_conv(module)


def image(*shape):
    return torch.randn(shape or (2, 3, 8, 8), generator=torch.Generator().manual_seed(0))


def assert_same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=0)


class Functional(nn.Module):
    """relu as a function, in front of two convolutions; its value is read by an addition too."""

    def __init__(self, inplace=False):
        super().__init__()
        self.stem, self.first, self.second, self.inplace = conv(3, 4), conv(4, 4), conv(4, 4), inplace
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)), inplace=self.inplace)
        y = torch.relu(self.first(x))
        return self.norm(self.second(y)) + x


@pytest.mark.parametrize("inplace", [False, True])
def test_a_value_with_other_readers_is_not_changed_for_them(inplace):
    model = Functional(inplace).eval()
    mixed = convert(model, ["first"])
    assert isinstance(mixed, fx.GraphModule)
    assert type(mixed).__name__ == "Functional"
    assert isinstance(mixed.get_submodule("first_activation"), BinReLU)
    x = image()
    before = model.norm(model.stem(x))
    expected = model.norm(model.second(F.relu(binary(model.first)(before)))) + F.relu(before)
    assert_same(mixed(x), expected)


def test_functions_are_replaced_too():
    model = Functional().eval()
    mixed = convert(model, ["second"], activation="hardtanh")
    x = image()
    value = F.relu(model.norm(model.stem(x)))
    assert_same(mixed(x), model.norm(binary(model.second)(model.first(value))) + value)
    assert isinstance(mixed.get_submodule("second_activation"), nn.Hardtanh)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_module_with_several_call_sites_changes_at_one(inplace):
    model = models.resnet18(width=4).eval()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = inplace
    mixed = convert(model, ["layer1.1.conv1", "layer2.0.conv2"])
    x = image(1, 3, 32, 32)
    first, second, third = model.layer1[0], model.layer1[1], model.layer2[0]
    value = model.maxpool(F.relu(model.bn1(model.conv1(x))))
    total = first.bn2(first.conv2(F.relu(first.bn1(first.conv1(value))))) + value
    value = F.relu(total)
    value = F.relu(second.bn2(second.conv2(F.relu(second.bn1(binary(second.conv1)(total))))) + value)
    signed = third.bn1(third.conv1(value))
    value = F.relu(third.bn2(binary(third.conv2)(signed)) + third.downsample(value))
    value = model.layer4(model.layer3(model.layer2[1](value)))
    assert_same(mixed(x), model.fc(value.mean((2, 3))))


def test_a_rewired_network_can_be_copied_and_pickled():
    mixed = convert(models.resnet18(width=4).eval(), ["layer1.0.conv1", "layer2.0.conv2"])
    x = image(1, 3, 32, 32)
    for twin in (copy.deepcopy(mixed), pickle.loads(pickle.dumps(mixed))):
        assert_same(twin(x), mixed(x))
        assert isinstance(twin.get_submodule("layer1.0.conv1"), BinaryConv2d)
        assert not twin.training


def test_a_relu_in_front_of_a_pooling_moves_behind_it():
    model = models.resnet18(width=4).eval()
    mixed = convert(model, ["layer1.0.conv1"])
    calls = [node.target for node in mixed.graph.nodes if node.op == "call_module"]
    assert calls.count("maxpool") == 1
    assert calls.index("maxpool") < calls.index("relu")
    block, x = model.layer1[0], image(1, 3, 32, 32)
    pooled = model.maxpool(model.bn1(model.conv1(x)))
    total = block.bn2(block.conv2(F.relu(block.bn1(binary(block.conv1)(pooled))))) + F.relu(pooled)
    value = model.layer4(model.layer3(model.layer2(model.layer1[1](F.relu(total)))))
    assert_same(mixed(x), model.fc(value.mean((2, 3))))


class Poolings(nn.Module):
    """One relu read through no, one and two poolings, and a concatenation of two activated values."""

    def __init__(self, activation=None):
        super().__init__()
        self.stem, self.a, self.b, self.c, self.d = conv(3, 4), conv(4, 4), conv(4, 4), conv(4, 4), conv(8, 4)
        self.norm, self.pool, self.act = nn.BatchNorm2d(4), nn.MaxPool2d(2), activation or nn.ReLU()

    def forward(self, x):
        x = self.act(self.norm(self.stem(x)))
        y = self.pool(x)
        z = self.pool(y)
        joined = self.d(torch.cat([y, F.relu(self.b(y))], 1))
        return self.norm(self.a(x)).sum() + self.norm(joined).sum() + self.norm(self.c(z)).sum() + z.sum()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU()])
@pytest.mark.parametrize("choice", [["a"], ["b"], ["c"], ["d"], ["c", "b"], ["a", "b", "c", "d"]])
def test_poolings_and_concatenations_between_activation_and_convolution(choice, activation):
    model = Poolings(activation).eval()
    mixed = convert(model, choice)
    made = {name: (binary if name in choice else lambda module: module)(getattr(model, name)) for name in "abcd"}
    raw = model.norm(model.stem(image()))
    pooled_raw, pooled = model.pool(raw), model.pool(activation(raw))
    twice_raw, twice = model.pool(pooled_raw), model.pool(pooled)
    b = made["b"](pooled_raw if "b" in choice else pooled)
    d = torch.cat([pooled_raw, b], 1) if "d" in choice else torch.cat([pooled, F.relu(b)], 1)
    a = made["a"](raw if "a" in choice else activation(raw))
    c = made["c"](twice_raw if "c" in choice else twice)
    expected = model.norm(a).sum() + model.norm(made["d"](d)).sum() + model.norm(c).sum() + twice.sum()
    torch.testing.assert_close(mixed(image()), expected)


class OverwritingPreActivation(nn.Module):
    """The addition comes after the in-place relu, so it reads the overwritten value: no pre-activation shortcut."""

    def __init__(self):
        super().__init__()
        self.stem, self.body, self.norm, self.relu = conv(3, 4), conv(4, 4), nn.BatchNorm2d(4), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.stem(x)
        return self.norm(self.body(self.relu(x))) + x


def test_readers_of_an_overwritten_value_keep_what_they_read():
    model = OverwritingPreActivation().eval()
    x = image()
    raw = model.stem(x)
    assert_same(convert(model, ["body"])(x), model.norm(binary(model.body)(raw)) + F.relu(raw))
    assert_same(convert(model, [])(x), model(x))


class Pooled(nn.Module):
    """One activation whose only reader is a pooling, which a convolution and an addition read."""

    def __init__(self, activation):
        super().__init__()
        self.stem, self.act, self.pool, self.body = conv(3, 4), activation, nn.MaxPool2d(2), conv(4, 4)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.pool(self.act(self.stem(x)))
        return self.norm(self.body(x)) + x


@pytest.mark.parametrize(("activation", "poolings"), [(nn.ReLU(), 1), (nn.Hardtanh(0.0, 0.5), 1), (nn.GELU(), 2)])
def test_only_monotone_activations_change_places_with_a_pooling(activation, poolings):
    model = Pooled(activation).eval()
    mixed = convert(model, ["body"])
    raw = model.stem(image())
    expected = model.norm(binary(model.body)(model.pool(raw))) + model.pool(activation(raw))
    assert_same(mixed(image()), expected)
    assert sum(node.target == "pool" for node in mixed.graph.nodes) == poolings
