"""Quantized layers against integer arithmetic, and what they share with the float layers they come from."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.clipping import Histogram, count
from b2nn_tvm.mixbin.modules.quantized_layer import (
    QuantizedConv1d,
    QuantizedConv2d,
    QuantizedLayer,
    QuantizedLinear,
    quantized,
    quantized_layers,
    refuse_uncalibrated,
)
from b2nn_tvm.plan import QUANTIZED, Precision


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def ready(layer: QuantizedLayer, x: torch.Tensor) -> QuantizedLayer:
    low, high = min(0.0, float(x.min())), float(x.max())
    layer.input_quantizer.calibrate(Histogram(low, high, count(x, low, high)), "mse")
    return layer.eval()


def whole_sums(layer: QuantizedLayer, x: torch.Tensor) -> torch.Tensor:
    """The layer by sums of whole numbers in float64, which holds them exactly."""
    quantizer, codes = layer.input_quantizer, layer.weight_codes
    numbers = ((x / quantizer.step).round() + quantizer.zero_point).clamp(0, quantizer.levels) - quantizer.zero_point
    sums = layer.multiply(numbers.double(), codes.codes.double(), None)
    per_channel = (-1, 1, 1) if isinstance(layer, QuantizedConv2d) else (-1,)
    scale = (codes.scale.double() * quantizer.step.double()).reshape(per_channel)
    return sums * scale + (0 if layer.bias is None else layer.bias.double().reshape(per_channel))


@pytest.mark.parametrize("precision", sorted(QUANTIZED))
@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(5, 4, 3, padding=1),
        nn.Conv2d(6, 6, 3, stride=2, padding=(2, 0), groups=6, bias=False),
        nn.Conv2d(6, 4, (3, 2), dilation=2, padding="same", groups=2),
    ],
    ids=["plain", "depthwise", "same"],
)
def test_convolutions_are_sums_of_whole_numbers(precision, conv):
    x = image(2, conv.in_channels, 9, 8)
    layer = ready(QuantizedConv2d(conv, precision), x)
    torch.testing.assert_close(layer(x).double(), whole_sums(layer, x), rtol=1e-5, atol=1e-5)
    assert layer(x).shape == conv(x).shape


@pytest.mark.parametrize("precision", sorted(QUANTIZED))
def test_linear_layers_are_sums_of_whole_numbers(precision):
    x = image(3, 7, 20)
    layer = ready(QuantizedLinear(nn.Linear(20, 6), precision), x)
    torch.testing.assert_close(layer(x).double(), whole_sums(layer, x).double(), rtol=1e-5, atol=1e-5)


def test_int8_is_close_to_float_and_parameters_keep_their_names():
    conv, x = nn.Conv2d(8, 4, 3, padding=1), image(2, 8, 9, 9)
    layer = ready(QuantizedConv2d(conv, Precision.INT8), x)
    expected = conv(x)
    assert ((layer(x) - expected).square().mean() / expected.square().mean()).item() < 1e-3
    assert not layer.load_state_dict(conv.state_dict(), strict=False).unexpected_keys


def test_a_border_of_its_own_lies_around_the_quantized_input():
    conv, x = nn.Conv2d(3, 2, 3), image(1, 3, 6, 6)
    layer = ready(QuantizedConv2d(conv, Precision.INT8, padding=(0, 1, 2, 0)), x)
    plain = ready(QuantizedConv2d(conv, Precision.INT8), x)
    torch.testing.assert_close(layer(x), plain(F.pad(x, (1, 0, 0, 2))), rtol=0, atol=1e-6)


def test_mixed_precision_computes_in_float32():
    layer = ready(QuantizedLinear(nn.Linear(20, 6), Precision.INT8), image(3, 20))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(image(3, 20))
    assert found.dtype == torch.float32 and torch.equal(found, layer(image(3, 20)))


def test_all_of_it_is_trained_saved_and_copied():
    x = image(4, 8, 9, 9)
    layer = ready(QuantizedConv2d(nn.Conv2d(8, 4, 3), Precision.W2A2), x).train()
    layer(x).square().sum().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in layer.parameters())
    assert all(bool(parameter.grad.any()) for parameter in layer.parameters())
    fresh = QuantizedConv2d(nn.Conv2d(8, 4, 3), Precision.W2A2)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x), layer(x)) and torch.equal(copy.deepcopy(layer)(x), layer(x))


def test_what_has_no_quantized_form_is_refused():
    with pytest.raises(UnsupportedError, match="padding mode 'reflect'"):
        QuantizedConv2d(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), Precision.INT8)
    with pytest.raises(InputError, match="int8, w1a2, w2a2, not binary"):
        QuantizedLinear(nn.Linear(2, 2), Precision.BINARY)


def test_layers_without_a_scale_are_named():
    x, net = image(1, 3), nn.Sequential(QuantizedLinear(nn.Linear(3, 3), Precision.INT8))
    assert list(quantized_layers(net)) == ["0"]
    with pytest.raises(InputError, match="the inputs of 0 have no scale yet"):
        refuse_uncalibrated(net)
    ready(net[0], x)
    refuse_uncalibrated(net)


@pytest.mark.parametrize("precision", sorted(QUANTIZED))
@pytest.mark.parametrize("padding", [2, "same"])
def test_signals_are_images_of_one_row(precision, padding):
    x, conv = image(2, 6, 15), nn.Conv1d(6, 4, 4, padding=padding, groups=2)
    layer = ready(quantized(conv, precision), x)
    images = nn.Conv2d(6, 4, (1, 4), groups=2)
    images.load_state_dict({"weight": conv.weight.unsqueeze(2), "bias": conv.bias})
    of_images = ready(quantized(images, precision, padding=layer.padding), x)
    assert type(layer) is QuantizedConv1d and layer(x).shape == (2, 4, 15 if padding == "same" else 16)
    torch.testing.assert_close(layer(x), of_images(x.unsqueeze(2)).squeeze(2), rtol=1e-6, atol=1e-6)
