"""A tiny trained network of three eligible layers, and what it comes to with one of them binary, by hand."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d

NAMES = ["conv1", "conv2", "conv3"]


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.conv1 = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.conv2, self.conv3 = nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn0, self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(width) for width in (6, 6, 8, 8))
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.tanh(self.bn0(self.stem(x)))
        x = torch.tanh(self.bn1(self.conv1(x)))
        x = torch.tanh(self.bn2(self.conv2(x)))
        return self.fc(torch.tanh(self.bn3(self.conv3(x))).mean(dim=(2, 3)))


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    return [
        (torch.randn(12, 2, 6, 6), torch.randint(0, 3, (12,))),
        (torch.randn(7, 2, 6, 6), torch.randint(0, 3, (7,))),
    ]


def trained(batches) -> Tiny:
    torch.manual_seed(1)
    net = Tiny()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(30):
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return net.eval()


def by_hand(model, batches, name=None):
    """The network with one layer binarized by replacing it, its batch norms re-estimated, and its mean loss."""
    net = copy.deepcopy(model)
    if name:
        setattr(net, name, BinaryConv2d.from_conv(getattr(net, name)))
    norms = [net.bn0, net.bn1, net.bn2, net.bn3]
    means, variances = [[] for _ in norms], [[] for _ in norms]

    def watch(i):
        def record(_, arguments):
            means[i].append(arguments[0].mean(dim=(0, 2, 3)))
            variances[i].append(arguments[0].transpose(0, 1).flatten(1).var(dim=1))

        return record

    handles = [norm.register_forward_pre_hook(watch(i)) for i, norm in enumerate(norms)]
    net.train()
    with torch.no_grad():
        for images, _ in batches:
            net(images)
    for handle in handles:
        handle.remove()
    for norm, mean, variance in zip(norms, means, variances, strict=True):
        norm.running_mean, norm.running_var = sum(mean) / len(mean), sum(variance) / len(variance)
    net.eval()
    with torch.no_grad():
        total = sum(F.cross_entropy(net(x), y, reduction="sum").item() for x, y in batches)
    return net, total / sum(len(y) for _, y in batches)
