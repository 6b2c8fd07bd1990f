"""Small networks in the forms in which the papers' authors write binary layers, with their straight-through estimators.

All of them use torch.sign, which is 0 at 0, and leave the latent weights in the graph.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class PolynomialSign(nn.Module):
    """The sign with the derivative of a piecewise polynomial (Liu et al., Bi-Real Net, ECCV 2018, equation 6)."""

    def forward(self, x):
        forward = torch.sign(x)
        below, negative, inside = ((x < bound).type(torch.float32) for bound in (-1, 0, 1))
        y = (-1) * below + (x * x + 2 * x) * (1 - below)
        y = y * negative + (-x * x + 2 * x) * (1 - negative)
        y = y * inside + 1 * (1 - inside)
        return forward.detach() - y.detach() + y


class ScaledSignConv(nn.Module):
    """Weights alpha * sign(w), alpha the mean of |w| in a filter, as a straight-through estimator of the clipped w."""

    def __init__(self, inputs, outputs, size=3, stride=1):
        super().__init__()
        self.shape, self.stride = (outputs, inputs, size, size), stride
        self.weights = nn.Parameter(torch.randn(math.prod(self.shape), 1) * 0.05)

    def forward(self, x):
        latent = self.weights.view(self.shape)
        alpha = abs(latent).mean(3, keepdim=True).mean(2, keepdim=True).mean(1, keepdim=True).detach()
        clipped = torch.clamp(latent, -1.0, 1.0)
        weight = (alpha * torch.sign(latent)).detach() - clipped.detach() + clipped
        return functional.conv2d(x, weight, stride=self.stride, padding=self.shape[2] // 2)


class BiRealBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.binary, self.norm = ScaledSignConv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.activation = PolynomialSign()
        same = stride == 1 and inputs == outputs
        pool, conv = nn.AvgPool2d(2, stride), nn.Conv2d(inputs, outputs, 1, bias=False)
        self.shortcut = nn.Identity() if same else nn.Sequential(pool, conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.norm(self.binary(self.activation(x))) + self.shortcut(x)


class BiRealNet(nn.Module):
    """4 binary layers; a ``relu`` behind the first layer makes zeros of which the first sign is 0."""

    binary = 4

    def __init__(self, *, relu=False):
        super().__init__()
        activation = nn.ReLU() if relu else nn.Identity()
        first = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(32), activation, nn.MaxPool2d(3, 2, 1))
        widths = (32, 32, 32, 48, 48)
        self.blocks = nn.Sequential(*(BiRealBlock(i, o, 1 if i == o else 2) for i, o in pairwise(widths)))
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Shift(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(1, channels, 1, 1) * 0.2)

    def forward(self, x):
        return x + self.bias.expand_as(x)


class ReActNet(nn.Module):
    """RSign and RPReLU (Liu et al., ECCV 2020): 3 binary layers, the last two of them on one sign, concatenated."""

    binary = 3

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32))
        self.moves = nn.ModuleList(Shift(32) for _ in range(4))
        self.activation = nn.PReLU(32)
        self.convs = nn.ModuleList(ScaledSignConv(32, 32, size) for size in (3, 1, 1))
        self.norms = nn.ModuleList(nn.BatchNorm2d(32) for _ in range(3))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        x = self.norms[0](self.convs[0](torch.sign(self.moves[0](x)))) + x
        x = self.moves[2](self.activation(self.moves[1](x)))
        signs = torch.sign(self.moves[3](x))
        halves = [norm(conv(signs)) + x for norm, conv in zip(self.norms[1:], self.convs[1:])]
        return self.head(torch.cat(halves, 1).mean((2, 3)))


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class IRConv(nn.Conv2d):
    """Standardized weights, and a scale that is a power of two (Qin et al., IR-Net, CVPR 2020)."""

    def forward(self, x):
        rows = self.weight.flatten(1)
        rows = rows - rows.mean(1, keepdim=True)
        rows = rows / rows.std(1, keepdim=True)
        scale = torch.pow(2.0, (torch.log(rows.abs().mean(1)) / math.log(2)).round()).view(-1, 1, 1, 1).detach()
        weight = _Sign.apply(rows.view(self.weight.shape)) * scale
        return functional.conv2d(_Sign.apply(x), weight, self.bias, self.stride, self.padding)


class IRNet(nn.Module):
    binary = 3

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32)
        self.convs = nn.ModuleList([IRConv(32, 48, 3, 2, 1), IRConv(32, 48, 1, 2, 0), IRConv(48, 48, 3, 1, 1)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(48) for _ in range(3))
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        x = functional.hardtanh(self.first(self.stem(x)))
        x = functional.hardtanh(self.norms[0](self.convs[0](x)) + self.norms[1](self.convs[1](x)))
        x = functional.hardtanh(self.norms[2](self.convs[2](x)) + x)
        return self.head(x.mean((2, 3)))


class DoReFaNet(nn.Module):
    """Activations of 0 and 1, weights of one magnitude in a layer (Zhou et al., 2016)."""

    binary = 2

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 32, 3, 1, 1), nn.BatchNorm2d(32)
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(48, width, 3, 3)) for width in (32, 48)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(48) for _ in range(2))
        self.head = nn.Linear(48, 10)

    @staticmethod
    def activation(x):
        clipped = torch.clamp(x, 0, 1)
        return (torch.round(clipped) - clipped).detach() + clipped

    @staticmethod
    def binarized(weight):
        scale = weight.abs().mean().detach()
        return (torch.sign(weight / scale) * scale - weight).detach() + weight

    def forward(self, x):
        x = self.first(self.stem(x))
        for weight, norm in zip(self.weights, self.norms):
            x = norm(functional.conv2d(self.activation(x), self.binarized(weight), padding=1))
        return self.head(functional.max_pool2d(x, 2).mean((2, 3)))


class AdaBinNet(nn.Module):
    """Activations of two learned values for each layer (Tu et al., ECCV 2022)."""

    binary = 2

    def __init__(self):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 32, 3, 1, 1), nn.BatchNorm2d(32)
        self.distance = nn.ParameterList([nn.Parameter(torch.tensor(value)) for value in (0.7, 1.3)])
        self.centre = nn.ParameterList([nn.Parameter(torch.tensor(value)) for value in (0.31, -0.22)])
        self.convs = nn.ModuleList([ScaledSignConv(32, 48), ScaledSignConv(48, 48, stride=2)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(48) for _ in range(2))
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        x = self.first(self.stem(x))
        for distance, centre, conv, norm in zip(self.distance, self.centre, self.convs, self.norms):
            signs = torch.sign((x - centre) / distance)
            x = norm(conv(signs * distance + centre))
        return self.head(x.mean((2, 3)))


class XnorNet(nn.Module):
    """The mean of |x| over the channels, blurred, scales the output (Rastegari et al., ECCV 2016, section 3.2)."""

    binary = 2

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(32) for _ in range(2))
        self.convs = nn.ModuleList(ScaledSignConv(32, 32) for _ in range(2))
        self.register_buffer("box", torch.full((1, 1, 3, 3), 1 / 9))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs):
            x = norm(x)
            scale = functional.conv2d(x.abs().mean(1, keepdim=True), self.box, padding=1)
            x = torch.relu(conv(torch.sign(x)) * scale)
        return self.head(x.amax((2, 3)))


NETWORKS = {net.__name__: net for net in (BiRealNet, ReActNet, IRNet, DoReFaNet, AdaBinNet, XnorNet)}


def trained(network: nn.Module) -> nn.Module:
    """The network in inference mode, with batch norms as after a training: gains of both signs, offsets."""
    draw = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=draw))
            module.running_var.copy_(torch.rand(module.num_features, generator=draw) * 4 + 0.5)
            module.weight.data.copy_(torch.randn(module.num_features, generator=draw))
            module.bias.data.copy_(torch.randn(module.num_features, generator=draw))
    return network.eval()
