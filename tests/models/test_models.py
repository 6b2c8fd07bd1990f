"""The networks: shapes, names, and what their structure promises."""

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.activation import BinReLU, RPReLU

SMALL = {
    "cresnet20": {"image_size": 16, "width": 4},
    "resnet18": {"width": 4},
    "bireal18": {"image_size": 32, "width": 4},
}


def test_names_and_get():
    assert models.names() == ("cresnet20", "resnet18", "bireal18", "siamfc")
    assert models.get("resnet18") is models.resnet18
    with pytest.raises(InputError, match="no network 'vgg'; choose one of cresnet20, resnet18, bireal18, siamfc"):
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
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{entry}" for entry in norm)}
    for block in blocks:
        expected |= {f"{block}.conv1.weight", f"{block}.conv2.weight"}
        expected |= {f"{block}.{name}.{entry}" for name in ("bn1", "bn2") for entry in norm}
    for stage in (2, 3, 4):
        expected |= {f"layer{stage}.0.downsample.0.weight", *(f"layer{stage}.0.downsample.1.{entry}" for entry in norm)}
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
