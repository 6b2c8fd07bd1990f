"""BinaryConv2d against the reference: equal bit for bit."""

import numpy as np
import pytest
import torch
from torch import nn

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d, explicit_padding

CHANNELS = (1, 3, 31, 32, 33, 63, 64, 65, 128)


def inputs(channels: int, height: int = 7, width: int = 6) -> torch.Tensor:
    """Normal numbers among which 0, -0.0 and NaN are frequent."""
    generator = torch.Generator().manual_seed(channels)
    x = torch.randn(2, channels, height, width, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.1] = 0.0
    x[torch.rand(x.shape, generator=generator) < 0.1] = -0.0
    x[torch.rand(x.shape, generator=generator) < 0.02] = float("nan")
    return x


def expected(module: BinaryConv2d, x: torch.Tensor) -> np.ndarray:
    threshold = 0.0 if module.threshold is None else module.threshold.detach().numpy()[:, None, None]
    sums = reference.binary_conv2d(
        reference.sign(x.numpy(), threshold),
        reference.sign(module.weight.detach().numpy()),
        stride=module.stride,
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        pad_value=module.pad_value,
    )
    return reference.scale_channels(sums, module.scale.numpy())


def output(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return module(x).numpy()


@pytest.mark.parametrize("channels", CHANNELS)
def test_channels_and_padding_values(channels):
    torch.manual_seed(channels)
    for pad_value in (0, 1, -1):
        module = BinaryConv2d.from_conv(nn.Conv2d(channels, 9, 3, padding=1, bias=False), pad_value=pad_value)
        x = inputs(channels)
        assert np.array_equal(output(module, x), expected(module, x))


@pytest.mark.parametrize("pad_value", [0, 1, -1])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        ((3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
        ((3, 3), (1, 1), (2, 2, 2, 2), (2, 2)),
        ((5, 3), (2, 1), (0, 1, 2, 3), (1, 2)),
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
        ((1, 1), (2, 2), (1, 0, 0, 1), (1, 1)),
    ],
)
def test_geometry_and_thresholds(kernel, stride, padding, dilation, pad_value):
    torch.manual_seed(0)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "pad_value": pad_value}
    module = BinaryConv2d(33, 5, kernel, learned_threshold=True, **options)
    x = inputs(33)
    with torch.no_grad():
        module.threshold.normal_()
        module.threshold[3] = x[0, 3, 0, 0]  # a tie is +1
    assert np.array_equal(output(module, x), expected(module, x))


@pytest.mark.parametrize(("channels", "groups"), [(32, 2), (96, 3), (68, 4)])
def test_groups(channels, groups):
    module = BinaryConv2d.from_conv(nn.Conv2d(channels, 3 * groups, 3, padding=1, groups=groups, bias=False))
    x = inputs(channels)
    assert np.array_equal(output(module, x), expected(module, x))
    assert "groups=" in repr(module) and set(module.state_dict()) == {"weight"}


def test_two_values_in_groups():
    """Each group adds up its own channels."""
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 6, 3, padding=1, groups=2)
    module = BinaryConv2d.from_conv(conv, binarizer="distribution-aware")
    x, values = torch.randn(2, 32, 5, 5), module.two_values
    signs = torch.from_numpy(reference.sign(x.numpy())).float()
    found = nn.functional.conv2d(signs, values.dense, conv.bias, padding=1, groups=2)
    torch.testing.assert_close(module(x), found)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("padding", ["same", "valid", 1, (2, 0)])
def test_from_conv_reads_every_way_to_pad(padding):
    conv = nn.Conv2d(3, 4, (4, 3), padding=padding, dilation=(1, 2), bias=False)
    module = BinaryConv2d.from_conv(conv)
    x = inputs(3)
    assert output(module, x).shape == conv(x).shape
    assert np.array_equal(output(module, x), expected(module, x))


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_same_padding_puts_the_odd_pixel_last_as_torch_does():
    conv = nn.Conv2d(1, 1, (4, 1), padding="same", bias=False)
    assert explicit_padding(conv) == (1, 0, 2, 0)
    ones = nn.init.ones_(conv.weight)
    x = torch.randn(1, 1, 6, 2)
    padded = nn.functional.pad(x, (0, 0, 1, 2))
    torch.testing.assert_close(conv(x), nn.functional.conv2d(padded, ones))


def test_from_conv_keeps_parameters_and_their_names():
    conv = nn.Conv2d(3, 4, 3)
    module = BinaryConv2d.from_conv(conv)
    assert set(module.state_dict()) == set(conv.state_dict())
    module.load_state_dict(conv.state_dict())
    assert torch.equal(module.weight, conv.weight)
    assert module.weight is not conv.weight
    x = torch.randn(1, 3, 5, 5)
    assert np.array_equal(output(module, x), expected(module, x) + conv.bias.detach().numpy()[:, None, None])


def test_scale_is_the_mean_absolute_weight_and_has_no_gradient():
    module = BinaryConv2d(2, 1, (1, 1))
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.5, -0.25]).reshape(1, 2, 1, 1))
    assert module.scale.tolist() == [0.375]
    module(torch.ones(1, 2, 1, 1)).sum().backward()
    # d/dw of scale * sign(w) * sign(x) with the scale held: the scale itself, inside |w| <= 1.
    assert module.weight.grad.flatten().tolist() == [0.375, 0.375]


def test_first_stage_has_binary_inputs_and_float_weights():
    module = BinaryConv2d(3, 4, (3, 3), padding=(1, 1, 1, 1))
    module.weight_binary = False
    x = inputs(3)
    signs = torch.from_numpy(reference.sign(x.numpy())).float()
    torch.testing.assert_close(module(x), nn.functional.conv2d(signs, module.weight, padding=1))


def test_weight_binary_layer_leaves_its_input():
    module = BinaryConv2d.from_conv(nn.Conv2d(3, 4, 3, padding=1, bias=False), input_binary=False)
    x = torch.randn(1, 3, 5, 5)
    signs = torch.from_numpy(reference.sign(module.weight.detach().numpy())).float()
    scaled = signs * module.scale[:, None, None, None]
    torch.testing.assert_close(module(x), nn.functional.conv2d(x, scaled, padding=1))


def test_training_reaches_weights_thresholds_and_inputs():
    module = BinaryConv2d(3, 4, (3, 3), learned_threshold=True)
    x = torch.rand(1, 3, 5, 5, requires_grad=True)
    module(x).square().sum().backward()
    for tensor in (x, module.weight, module.threshold):
        assert tensor.grad.abs().sum() > 0


def test_refuses_groups_that_do_not_divide_the_channels():
    with pytest.raises(InputError, match="3 groups do not divide 32 input and 6 output channels"):
        BinaryConv2d(32, 6, (1, 1), groups=3)


def test_refuses_other_padding_values():
    with pytest.raises(InputError, match="pads with 0, 1 or -1, not with 0.5"):
        BinaryConv2d(1, 1, (1, 1), pad_value=0.5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"groups": 2}, "grouped convolution"),
        ({"groups": 4}, "depthwise convolution"),
        ({"padding_mode": "reflect", "padding": 1}, "padding mode 'reflect'"),
    ],
)
def test_refuses_convolutions_without_a_binary_form(options, reason):
    with pytest.raises(UnsupportedError, match=reason):
        BinaryConv2d.from_conv(nn.Conv2d(4, 4, 3, **options))


@pytest.mark.parametrize("options", [{}, {"learned_threshold": True}, {"binarizer": "distribution-aware"}])
def test_mixed_precision_leaves_every_sum_exact(options):
    """64 x 3 x 3 signs sum to up to 576, of which bfloat16 holds those up to 256 exactly."""
    torch.manual_seed(0)
    conv = BinaryConv2d(64, 8, (3, 3), padding=(1, 1, 1, 1), **options)
    with torch.no_grad():
        conv.weight.add_(0.05)  # most of them +1, so that sums are large
        if conv.threshold is not None:
            conv.threshold.uniform_(-0.01, 0.01)
    halves = (torch.randn(2, 64, 8, 8) + 1).bfloat16().requires_grad_()
    x = halves.detach().float().requires_grad_()
    expected = conv(x)
    expected.square().mean().backward()
    gradient, conv.weight.grad = conv.weight.grad, None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = conv(halves)
    found.square().mean().backward()
    assert found.dtype == torch.float32 and torch.equal(found, expected)
    assert torch.equal(conv.weight.grad, gradient)
    assert halves.grad.dtype == torch.bfloat16 and torch.equal(halves.grad, x.grad.bfloat16())
