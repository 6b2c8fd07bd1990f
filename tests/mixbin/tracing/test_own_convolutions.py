"""Subclasses of Conv2d: which of them are convolutions, and that their binary forms compute the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.reference import binary as reference


class Same(nn.Conv2d):
    """Padded for the size of the image, as TensorFlow does it."""

    def forward(self, x):
        high, wide = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, stride, kernel in zip(x.shape[-2:], self.stride, self.kernel_size)
        )
        x = F.pad(x, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Standardized(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class Scaled(nn.Conv2d):
    """Its weights have a module of their own."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.gain = nn.Tanh()

    def forward(self, x):
        return F.conv2d(x, self.gain(self.weight), self.bias, self.stride, self.padding)


class SignedInput(nn.Conv2d):
    """A binary convolution of one's own, as in many published networks."""

    def forward(self, x):
        return F.conv2d(torch.sign(x), torch.sign(self.weight), self.bias, self.stride, self.padding)


class PlusInput(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding) + x


class Reflected(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(F.pad(x, [1, 1, 1, 1], mode="reflect"), self.weight, self.bias)


class DefaultsOnly(nn.Conv2d):
    def __init__(self, inputs, outputs, **options):
        super().__init__(inputs, outputs, 3, padding=1, **options)


def network(conv):
    torch.manual_seed(1)
    tail = [nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)]
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU(), conv, *tail).eval()


SHAPE = (3, 12, 11)


@pytest.mark.parametrize(
    ("conv", "stride", "padding"),
    [
        (Same(8, 8, 3, 2, bias=False), (2, 2), (0, 1, 1, 1)),
        (Same(8, 8, 3, 1), (1, 1), (1, 1, 1, 1)),
        (Standardized(8, 8, 3, padding=1), (1, 1), (1, 1, 1, 1)),
        (Standardized(8, 8, (1, 3), padding="same"), (1, 1), (0, 1, 0, 1)),
        (Scaled(8, 8, 3, stride=2, padding=(2, 0)), (2, 2), (2, 0, 2, 0)),
        (DefaultsOnly(8, 8), (1, 1), (1, 1, 1, 1)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_convolutions_of_ones_own_become_binary_ones_of_the_weights_that_they_compute_with(conv, stride, padding):
    model = network(conv)
    table = trace(model, SHAPE)
    captured = capture(model)
    assert captured.meta["any_batch"]
    assert [node.target for node in captured.graph.nodes if node.op != "placeholder"][2] == "2"
    assert len(captured.graph.nodes) == len(model) + 2
    assert table.eligible == ["2"]
    assert (table["2"].kind, table["2"].workload.stride, table["2"].workload.padding) == (
        type(conv).__name__,
        stride,
        padding,
    )
    used = []
    with torch.no_grad():
        x = model[1](model[0](torch.randn(2, *SHAPE)))
        original, F.conv2d = F.conv2d, lambda *args, **options: (used.append(args[1]), original(*args, **options))[1]
        try:
            shape = conv(x).shape
        finally:
            F.conv2d = original
        binary = convert(model, ["2"])[2]
        assert type(binary) is BinaryConv2d
        found = binary(x)
        assert found.shape == shape
        weights, scale = used[0].numpy(), used[0].abs().mean((1, 2, 3)).numpy()
        signs = reference.sign(x.numpy()).transpose(0, 2, 3, 1), reference.sign(weights).transpose(0, 2, 3, 1)
        top, left, bottom, right = padding
        padded = F.pad(torch.from_numpy(signs[0]).float().permute(0, 3, 1, 2), [left, right, top, bottom])
        sums = F.conv2d(padded, torch.from_numpy(signs[1]).float().permute(0, 3, 1, 2), None, stride)
    expected = sums * torch.from_numpy(scale)[:, None, None]
    expected = expected if conv.bias is None else expected + conv.bias[:, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [SignedInput, PlusInput, Reflected])
def test_other_subclasses_stay_float_with_a_reason(kind):
    model = network(kind(8, 8, 3, padding=1))
    table = trace(model, SHAPE)
    assert "2" not in table.eligible
    (other,) = table.others
    assert (other.name, other.reason) == (
        "2",
        f"called as a function in {kind.__name__}.forward: only modules that are convolutions become binary",
    )


def test_grouped_subclasses_say_so():
    assert trace(network(Same(8, 8, 3, groups=8)), SHAPE)["2"].reason == "depthwise convolution"
