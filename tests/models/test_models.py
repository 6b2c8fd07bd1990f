"""What holds for all networks: names, shapes, which layers may become binary, and what their structure promises."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision
from tests.support.models.small_networks import CLASSIFIER, NORM, SMALL, small


def test_names_and_get():
    assert models.names() == (*SMALL, "siamfc")  # which is no classifier: test_siamfc_trunk.py
    assert models.get("resnet18") is models.resnet18
    with pytest.raises(InputError, match="no network 'vgg'; choose one of cresnet20, resnet18, bireal18, mobilenet"):
        models.get("vgg")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("activation", ["relu", "rprelu"])
def test_forward_and_backward(name, activation):
    model = models.get(name)(classes=7, channels=2, activation=activation, **SMALL[name])
    size = SMALL[name].get("image_size", 40)
    y = model(torch.randn(2, 2, size, size))
    assert y.shape == (2, 7)
    y.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


# Which layers may become binary; all others are the first convolution, depthwise ones and the classifier.
CHAIN = [f"conv{number}.conv" for number in range(2, 6)]
FIRES = [f"fire{number}.{layer}" for number in range(2, 10) for layer in ("squeeze.conv", "expand1x1", "expand3x3")]
ELIGIBLE = {
    "mobilenet": [f"blocks.{index}.pointwise.conv" for index in range(13)],
    "alexnet": [*CHAIN, "fc6.conv", "fc7.conv"],
    "squeezenet": FIRES,
    "sketchanet": [*CHAIN, "fc6.conv", "fc7.conv"],
    "vgg_small": [*CHAIN, "conv6.conv"],
}


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


@pytest.mark.parametrize("name", ["alexnet", "squeezenet", "sketchanet", "vgg_small"])
def test_the_first_and_the_last_layer_may_have_binary_weights(name):
    """As in Hybrid Binary Networks: the classifier is a convolution, too."""
    model, shape = small(name)
    last = CLASSIFIER[name]
    mixed = convert(model, Plan(layers={"conv1.conv": Precision.WEIGHT_BINARY, last: Precision.WEIGHT_BINARY})).eval()
    assert not mixed.get_submodule(last).input_binary
    assert mixed(torch.randn(1, *shape)).shape == (1, 7)
