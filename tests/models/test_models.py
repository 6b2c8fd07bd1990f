"""The networks: shapes, names, and what their structure promises."""

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.activations import BinReLU, RPReLU
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision

SMALL = {
    "cresnet20": {"image_size": 16, "width": 4},
    "resnet18": {"width": 4},
    "bireal18": {"image_size": 32, "width": 4},
    "mobilenet": {"width": 4},
    "alexnet": {"image_size": 95, "width": 4},
    "squeezenet": {"width": 4},
    "sketchanet": {"image_size": 105, "width": 4},
    "vgg_small": {"image_size": 16, "width": 4},
}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def test_names_and_get():
    assert models.names() == (*SMALL, "siamfc")  # which is no classifier: test_siamfc_trunk.py
    assert models.get("resnet18") is models.resnet18
    with pytest.raises(InputError, match="no network 'vgg'; choose one of cresnet20, resnet18, bireal18, mobilenet"):
        models.get("vgg")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("activation", ("relu", "rprelu"))
def test_forward_and_backward(name, activation):
    model = models.get(name)(classes=7, channels=2, activation=activation, **SMALL[name])
    size = SMALL[name].get("image_size", 40)
    y = model(torch.randn(2, 2, size, size))
    assert y.shape == (2, 7)
    y.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("size", (33, 50))
def test_image_sizes_that_do_not_divide(size):
    assert models.cresnet20(image_size=size, width=4)(torch.randn(1, 3, size, size)).shape == (1, 100)
    assert models.bireal18(image_size=size, width=4)(torch.randn(1, 3, size, size)).shape == (1, 1000)


def test_activations_by_name():
    default = models.cresnet20(width=4)
    assert isinstance(default.stage2[0].act1, BinReLU)
    chosen = models.cresnet20(width=4, activation="rprelu")
    assert isinstance(chosen.stage2[0].act1, RPReLU)
    assert (chosen.stage2[0].act1.shift_in.numel(), chosen.stage2[0].act2.shift_in.numel()) == (4, 8)
    with pytest.raises(InputError, match="no activation 'swish'"):
        models.resnet18(activation="swish")


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


def test_bireal_block_has_one_shortcut_per_convolution():
    block = models.cresnet20(width=4).stage1[0].eval()
    nn.init.zeros_(block.bn1.weight)
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.ones_(block.bn2.weight)
    torch.testing.assert_close(block(x), block.conv2(x.clamp(min=-1)) / (1 + 1e-5) ** 0.5 + x)


# ---- which layers may become binary, by name; all others are the first convolution, depthwise ones and the classifier

CHAIN = [f"conv{number}.conv" for number in range(2, 6)]
FIRES = [f"fire{number}.{layer}" for number in range(2, 10) for layer in ("squeeze.conv", "expand1x1", "expand3x3")]
ELIGIBLE = {
    "mobilenet": [f"blocks.{index}.pointwise.conv" for index in range(13)],
    "alexnet": [*CHAIN, "fc6.conv", "fc7.conv"],
    "squeezenet": FIRES,
    "sketchanet": [*CHAIN, "fc6.conv", "fc7.conv"],
    "vgg_small": [*CHAIN, "conv6.conv"],
}
CLASSIFIER = {"mobilenet": "fc", "alexnet": "fc8", "squeezenet": "conv10", "sketchanet": "fc8", "vgg_small": "fc7"}


def small(name, **options):
    model = models.get(name)(classes=7, channels=2, **SMALL[name], **options)
    size = SMALL[name].get("image_size", 40)
    return model, (2, size, size)


@pytest.mark.parametrize("name", ELIGIBLE)
def test_eligible_layers_and_the_reasons_of_the_others(name):
    table = trace(*small(name))
    assert table.eligible == ELIGIBLE[name]
    others = {"conv1.conv": "first convolution", CLASSIFIER[name]: "classifier"}
    if name == "mobilenet":
        others |= {f"blocks.{index}.depthwise.conv": "depthwise convolution" for index in range(13)}
    assert {row.name: row.reason for row in table if not row.eligible} == others
    assert all(table[layer].activation.endswith("act") for layer in table.eligible)


@pytest.mark.parametrize("name", ELIGIBLE)
def test_state_dict_names(name):
    model, shape = small(name)
    layers = {row.name for row in trace(model, shape)}
    fire_norms = [f"fire{number}" for number in range(2, 10)] if name == "squeezenet" else []
    norms = [*(layer.removesuffix(".conv") for layer in layers if layer.endswith(".conv")), *fire_norms]
    expected = {f"{CLASSIFIER[name]}.bias", *(f"{layer}.weight" for layer in layers)}
    assert set(model.state_dict()) == expected | {f"{norm}.bn.{entry}" for norm in norms for entry in NORM}


@pytest.mark.parametrize("name", ELIGIBLE)
def test_signs_behind_poolings_are_balanced(name):
    """Batch norm stands behind each pooling, so that about half of what a binary layer reads is negative."""
    torch.manual_seed(0)
    model, shape = small(name, activation="binrelu")
    shares = {}

    def record(layer):
        return lambda module, inputs: shares.update({layer: (inputs[0] >= 0).float().mean().item()})

    for layer in trace(model, shape).eligible:
        model.get_submodule(layer).register_forward_pre_hook(record(layer))
    model.train()(torch.randn(32, *shape))
    assert len(shares) == len(ELIGIBLE[name])
    assert all(0.3 < share < 0.7 for share in shares.values()), shares


@pytest.mark.parametrize(("name", "smallest"), [("alexnet", 63), ("sketchanet", 81), ("vgg_small", 8)])
def test_the_smallest_image_of_a_chain(name, smallest):
    channels = 1 if name == "sketchanet" else 3
    model = models.get(name)(classes=7, width=4, image_size=smallest).eval()
    assert model(torch.randn(1, channels, smallest, smallest)).shape == (1, 7)
    with pytest.raises(
        InputError,
        match=f"of {smallest - 1}x{smallest - 1} pixels nothing is left.*; the smallest image is {smallest}x{smallest}",
    ):
        models.get(name)(width=4, image_size=smallest - 1)


def test_the_smallest_image_of_squeezenet():
    model = models.squeezenet(width=4).eval()
    assert model(torch.randn(1, 3, 17, 17)).shape == (1, 1000)
    with pytest.raises(RuntimeError):
        model(torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize("name", ["alexnet", "squeezenet", "sketchanet", "vgg_small"])
def test_the_first_and_the_last_layer_may_have_binary_weights(name):
    """As in Hybrid Binary Networks: the classifier is a convolution, too."""
    model, shape = small(name)
    last = CLASSIFIER[name]
    mixed = convert(model, Plan(layers={"conv1.conv": Precision.WEIGHT_BINARY, last: Precision.WEIGHT_BINARY})).eval()
    assert not mixed.get_submodule(last).input_binary
    assert mixed(torch.randn(1, *shape)).shape == (1, 7)


def test_a_fully_connected_layer_is_a_convolution_over_the_whole_image():
    model = models.sketchanet(width=4, image_size=105).eval()
    layer, x = model.fc6.conv, torch.randn(3, 16, 2, 2)
    assert (layer.kernel_size, model.fc7.conv.kernel_size) == ((2, 2), (1, 1))
    torch.testing.assert_close(layer(x).flatten(1), x.flatten(1) @ layer.weight.flatten(1).T)


def test_published_numbers_of_parameters():
    """MobileNet 4.2 million (table 8 of the paper); SqueezeNet 1.1's 1,235,496 less its biases, with batch norm."""
    count = lambda model: sum(parameter.numel() for parameter in model.parameters())
    assert count(models.mobilenet()) == 4_231_976
    squeezenet = models.squeezenet()
    norms = sum(count(module) for module in squeezenet.modules() if isinstance(module, nn.BatchNorm2d))
    biases = 64 + sum(16 * i + 2 * 64 * i for i in (1, 1, 2, 2, 3, 3, 4, 4))
    assert count(squeezenet) - norms + biases == 1_235_496
