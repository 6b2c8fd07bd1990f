"""Conversion: which activation a binary convolution reads, and that nothing else changes."""

import copy

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.activation import BinReLU, RPReLU, SignFollows
from b2nn_tvm.mixbin.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.convert import convert
from b2nn_tvm.mixbin.layers import trace
from b2nn_tvm.plan import Plan, Precision


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def binary(module):
    return BinaryConv2d.from_conv(module)


def image(*shape):
    return torch.randn(shape or (2, 3, 8, 8), generator=torch.Generator().manual_seed(0))


def assert_same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=0)


def chain(activation, *middle):
    """stem -> bn -> activation -> middle -> conv -> bn: the layout of VGG and MobileNet."""
    layers = [conv(3, 4), nn.BatchNorm2d(4), activation, *middle, conv(4, 4), nn.BatchNorm2d(4)]
    return nn.Sequential(*layers).eval()


def test_relu_in_front_becomes_binrelu_and_the_class_stays():
    model = chain(nn.ReLU(inplace=True))
    mixed = convert(model, ["3"])
    assert type(mixed) is nn.Sequential
    assert [type(module) for module in mixed[2:4]] == [BinReLU, BinaryConv2d]
    x = image()
    assert_same(mixed(x), model[4](binary(model[3])(model[1](model[0](x)))))


def test_the_original_is_untouched_and_nothing_is_shared():
    model = chain(nn.ReLU())
    before = copy.deepcopy(model.state_dict())
    mixed = convert(model, ["3"])
    with torch.no_grad():
        for parameter in mixed.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert isinstance(model[3], nn.Conv2d)


@pytest.mark.parametrize("activation", (nn.PReLU(), nn.Hardtanh(), nn.LeakyReLU(), BinReLU()))
def test_activations_that_keep_the_sign_stay(activation):
    mixed = convert(chain(activation), ["3"])
    assert type(mixed[2]) is type(activation)


@pytest.mark.parametrize("activation", (nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.Hardtanh(0.0, 1.0)))
def test_activations_that_drop_the_sign_do_not(activation):
    assert type(convert(chain(activation), ["3"])[2]) is BinReLU


def test_the_activation_is_a_choice_and_gets_the_channels():
    mixed = convert(chain(nn.ReLU()), ["3"], activation="rprelu")
    assert type(mixed[2]) is RPReLU
    assert mixed.state_dict()["2.shift_in"].shape == (4, 1, 1)


def test_options_reach_the_binary_layers():
    mixed = convert(chain(nn.ReLU()), "3", pad_value=-1, learned_threshold=True)
    assert mixed[3].pad_value == -1
    assert mixed[3].threshold.shape == (4,)


def test_training_mode_is_kept():
    assert all(module.training for module in convert(chain(nn.ReLU()).train(), ["3"]).modules())
    assert not any(module.training for module in convert(Functional().eval(), ["second"]).modules())


def test_pre_activation_layout_leaves_the_sign_alone():
    model = models.cresnet20(width=4, activation="relu").eval()
    mixed = convert(model, ["stage1.0.conv2", "stage2.0.conv1"])
    assert type(mixed) is type(model)
    assert isinstance(mixed.stage1[0].act2, SignFollows)
    assert isinstance(mixed.stage2[0].act1, SignFollows)
    assert isinstance(mixed.stage1[0].act1, nn.ReLU)
    block, x = model.stage1[0], image(1, 4, 6, 6)
    middle = block.bn1(block.conv1(F.relu(x))) + x
    assert_same(mixed.stage1[0](x), block.bn2(binary(block.conv2)(middle)) + middle)


@pytest.mark.parametrize("name", models.names())
def test_a_float_state_dict_loads_and_names_stay(name):
    model = models.get(name)(width=4)
    mixed = convert(model, trace(model, (3, 224, 224) if name == "bireal18" else (3, 32, 32)).eligible)
    assert set(mixed.state_dict()) == set(model.state_dict())
    mixed.load_state_dict(model.state_dict())
    again = convert(
        model, trace(model, (3, 224, 224) if name == "bireal18" else (3, 32, 32)).eligible, activation="prelu"
    )
    again.load_state_dict(copy.deepcopy(again).state_dict())


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


@pytest.mark.parametrize("inplace", (False, True))
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


@pytest.mark.parametrize("inplace", (False, True))
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


@pytest.mark.parametrize("activation", (nn.ReLU(), nn.GELU()))
@pytest.mark.parametrize("choice", (["a"], ["b"], ["c"], ["d"], ["c", "b"], ["a", "b", "c", "d"]))
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


class Doubled(nn.Module):
    """The same modules under two names, of which the forward uses the later one."""

    def __init__(self):
        super().__init__()
        self.stem, self.relu, self.body = conv(3, 4), nn.ReLU(), conv(4, 4)
        self.act, self.layer, self.norm = self.relu, self.body, nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.layer(self.act(self.stem(x))))


def test_modules_registered_twice_are_replaced_under_both_names():
    mixed = convert(Doubled(), ["body"])
    assert mixed.layer is mixed.body
    assert isinstance(mixed.layer, BinaryConv2d)
    assert isinstance(mixed.act, BinReLU)


def test_converting_further_equals_converting_at_once():
    model = models.resnet18(width=4).eval()
    names = trace(model, (3, 32, 32)).eligible
    x = image(1, 3, 32, 32)
    at_once, in_steps = convert(model, names), convert(convert(model, names[::2]), names)
    assert_same(in_steps(x), at_once(x))
    assert trace(at_once, (3, 32, 32)).eligible == []


def test_gradients_reach_every_parameter():
    model = models.resnet18(width=4).train()
    mixed = convert(model, trace(model, (3, 32, 32)).eligible, activation="rprelu", learned_threshold=True)
    mixed(image(4, 3, 64, 64)).square().sum().backward()
    silent = [name for name, parameter in mixed.named_parameters() if parameter.grad is None]
    assert silent == []


def test_plans_name_three_precisions():
    model = models.cresnet20(width=4).eval()
    layers = {"conv1": Precision.WEIGHT_BINARY, "stage1.0.conv1": Precision.BINARY, "stage1.0.conv2": Precision.FLOAT}
    mixed = convert(model, Plan(layers=layers))
    assert (mixed.conv1.input_binary, mixed.stage1[0].conv1.input_binary) == (False, True)
    assert type(mixed.stage1[0].conv2) is nn.Conv2d
    with pytest.raises(InputError, match="stage1.0.conv1 is binary already and cannot become float"):
        convert(mixed, Plan(layers={"stage1.0.conv1": Precision.FLOAT}))
    with pytest.raises(InputError, match="layer fc is a linear layer; only convolutions"):
        convert(model, Plan(layers={"fc": Precision.WEIGHT_BINARY}))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nose", "stem"], "the network has no layer nose; its eligible layers are first, second"),
        (["stem"], r"layer stem cannot be binary \(first convolution\); the eligible layers are first, second"),
    ],
)
def test_wrong_names_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        convert(Functional(), names)


def test_an_unknown_activation_is_refused():
    with pytest.raises(InputError, match="no activation 'swish'"):
        convert(Functional(), [], activation="swish")


def test_an_untraceable_model_is_refused():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(
        UnsupportedError, match="Branching cannot be traced by torch.fx: its forward fails with: symbolically"
    ):
        convert(Branching(), [])
