"""A choice becomes a network whose layers have their precisions, and whose scales are those of what they read."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.mixbin.conversion.convert_choice import convert_choice
from b2nn_tvm.mixbin.conversion.options import DEFAULT
from b2nn_tvm.mixbin.modules.quantized_layer import quantized_layers, refuse_uncalibrated
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.digests import model_digest
from tests.support.mixbin import noise


@pytest.fixture
def model():
    network = noise.network().eval()
    trace(network, (1, 8, 8))
    return network


def test_binary_choices_are_as_the_conversion_makes_them(model) -> None:
    def unasked():
        raise AssertionError("no layer needs images")

    for choice in ((), noise.LAYERS[1:]):
        found = convert_choice(model, choice, DEFAULT, unasked)
        assert model_digest(found) == model_digest(DEFAULT.convert(model, choice))


def test_quantized_layers_come_with_scales(model) -> None:
    before = model_digest(model)
    choice = ("conv1@int8", noise.LAYERS[0], f"{noise.LAYERS[1]}@w1a2", "fc@int8")
    network = convert_choice(model, choice, DEFAULT, lambda: noise.images().calibration(images=16))
    precisions = {name: layer.precision for name, layer in quantized_layers(network).items()}
    assert precisions == {"conv1": "int8", noise.LAYERS[1]: "w1a2", "fc": "int8"}
    refuse_uncalibrated(network)
    with torch.no_grad():
        assert bool(network(torch.randn(2, 1, 8, 8)).isfinite().all())
    assert model_digest(model) == before
