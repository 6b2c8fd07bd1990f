"""Conversion: which activation a binary convolution reads, and that nothing else changes."""

import copy

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.activations import BinReLU, RPReLU, SignFollows
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedConv2d, QuantizedLinear
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def test_a_network_over_signals():
    """A ReLU in front of a pooling keeps the sign for the binary layer behind it; a wrapper changes nothing."""
    network = nn.DataParallel(
        nn.Sequential(
            nn.Conv1d(2, 16, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(16, 32, 3, groups=1), nn.BatchNorm1d(32)
        )
    ).eval()
    assert trace(network, (2, 40)).eligible == ["3"]
    mixed = convert(network, ["3"])
    assert isinstance(mixed[3], BinaryConv1d) and isinstance(mixed[1], BinReLU)
    assert mixed(torch.randn(3, 2, 40)).shape == network(torch.randn(3, 2, 40)).shape
    weights_alone = convert(network, Plan({"3": Precision.WEIGHT_BINARY}), input_shape=(2, 40))
    assert not weights_alone[3].input_binary and isinstance(weights_alone[1], nn.ReLU)


def test_forward_hooks_stay():
    network = nn.Sequential(conv(3, 32), nn.PReLU(), conv(32, 32), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 32)).eval()
    network[2].register_forward_hook(lambda module, args, result: result.clamp(-1, 1))
    assert trace(network, (3, 8, 8)).eligible == ["2"]
    mixed = convert(network, ["2"])
    assert isinstance(mixed[2], BinaryConv2d) and mixed[:3](image()).abs().max() == 1


def test_groups_of_enough_channels():
    network = nn.Sequential(conv(3, 64), nn.ReLU(), nn.Conv2d(64, 64, 3, groups=4), nn.ReLU(), nn.Linear(6, 2)).eval()
    assert trace(network, (3, 8, 8)).eligible == ["2"]
    mixed = convert(network, ["2"])
    assert mixed[2].groups == 4 and mixed(image()).shape == network(image()).shape
    weights_alone = convert(network, Plan({"2": Precision.WEIGHT_BINARY}))
    assert weights_alone[2].groups == 4 and not weights_alone[2].input_binary


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


@pytest.mark.parametrize("activation", [nn.PReLU(), nn.Hardtanh(), nn.LeakyReLU(), BinReLU()])
def test_activations_that_keep_the_sign_stay(activation):
    mixed = convert(chain(activation), ["3"])
    assert type(mixed[2]) is type(activation)


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.Hardtanh(0.0, 1.0)])
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


IMAGENET = (3, 224, 224)
SHAPES = dict.fromkeys(models.names(), (3, 32, 32)) | {
    "bireal18": IMAGENET,
    "alexnet": IMAGENET,
    "sketchanet": (1, 225, 225),
}


@pytest.mark.parametrize("name", models.names())
def test_a_float_state_dict_loads_and_names_stay(name):
    model = models.get(name)(width=4)
    eligible = trace(model, SHAPES[name]).eligible
    mixed = convert(model, eligible)
    assert set(mixed.state_dict()) == set(model.state_dict())
    mixed.load_state_dict(model.state_dict())
    again = convert(model, eligible, activation="prelu")
    again.load_state_dict(copy.deepcopy(again).state_dict())


class Functional(nn.Module):
    """relu as a function, in front of a convolution and an addition."""

    def __init__(self):
        super().__init__()
        self.stem, self.first, self.second = conv(3, 4), conv(4, 4), conv(4, 4)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        y = torch.relu(self.first(x))
        return self.norm(self.second(y)) + x


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


class ByShape(Functional):
    """A forward that looks at shapes, in which an activation is read by two."""

    def forward(self, x, scale=None):
        assert x.ndim == 4
        x = super().forward(x if scale is None else x * scale)
        batch, channels, *_ = x.shape
        return x.view(batch, channels, -1).mean(2)


def test_a_forward_that_looks_at_shapes_is_rewired_for_every_batch_size():
    model = ByShape().eval()
    with pytest.raises(UnsupportedError, match="ByShape cannot be traced without the shape of its input"):
        convert(model, ["first"])
    mixed = convert(model, ["first"], input_shape=(3, 8, 8))
    assert isinstance(mixed, fx.GraphModule)
    for batch in (1, 4, 5):
        x = image(batch, 3, 8, 8)
        before = model.norm(model.stem(x))
        expected = model.norm(model.second(F.relu(binary(model.first)(before)))) + F.relu(before)
        assert_same(mixed(x), expected.flatten(2).mean(2))
    again = convert(mixed, ["second"])
    assert isinstance(again.second, BinaryConv2d)
    assert isinstance(again.first, BinaryConv2d)


class ByBatch(ByShape):
    def forward(self, x):
        return super().forward(x) * (1 / x.shape[0])


def test_what_is_other_for_other_batch_sizes_is_not_rewired():
    model = ByBatch().eval()
    trace(model, (2, 3, 8, 8))
    with pytest.raises(UnsupportedError, match="ByBatch does other operations for other batch sizes"):
        convert(model, ["first"])


def test_an_untraceable_model_is_refused():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(UnsupportedError, match="Branching cannot be traced.* fails with: symbolically"):
        convert(Branching(), [])
    with pytest.raises(UnsupportedError, match="Branching cannot be traced: .* decides by the values of the image"):
        convert(Branching(), [], input_shape=(3, 8, 8))


def test_quantized_layers_stand_in_the_place_of_float_ones_and_change_nothing_in_front():
    model = nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 4), nn.ReLU(), conv(4, 4), nn.Flatten(), nn.Linear(256, 2))
    plan = Plan({"0": "int8", "2": "binary", "4": "w1a2", "6": "int8"})
    mixed = convert(model.eval(), plan, input_shape=(3, 8, 8))
    assert [type(mixed[index]) for index in (0, 2, 4, 6)] == [
        QuantizedConv2d,
        BinaryConv2d,
        QuantizedConv2d,
        QuantizedLinear,
    ]
    assert [type(mixed[index]) for index in (1, 3)] == [BinReLU, nn.ReLU]
    assert not mixed.load_state_dict(model.state_dict(), strict=False).unexpected_keys
    assert type(convert(mixed, plan)[4]) is QuantizedConv2d  # what has its precision already stays


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"0": "w2a2"}, r"layer 0 cannot be w2a2 \(first convolution\)"),
        ({"2": "w1a2"}, r"layer 2 cannot be w1a2 \(grouped convolution with fewer"),
        ({"5": "w1a2"}, r"layer 5 cannot be w1a2 \(classifier\)"),
        ({"3": "int8"}, r"layer 3 cannot be int8 \(padding mode 'circular'\)"),
    ],
)
def test_layers_that_may_not_be_quantized_are_refused(plan, message):
    circular = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
    layers = [conv(3, 4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), circular, nn.Flatten(), nn.Linear(144, 2)]
    with pytest.raises(InputError, match=message):
        convert(nn.Sequential(*layers).eval(), Plan(plan), input_shape=(3, 8, 8))


def test_a_quantized_layer_does_not_become_another():
    model = nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 4), nn.BatchNorm2d(4)).eval()
    mixed = convert(model, Plan({"2": "int8"}), input_shape=(3, 8, 8))
    with pytest.raises(InputError, match="layer 2 is int8 already and cannot become binary"):
        convert(mixed, ["2"])
