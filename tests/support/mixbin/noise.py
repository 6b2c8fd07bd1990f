"""A small network, images of noise to train it on, and what its layers cost."""

from __future__ import annotations

import torch

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.models.bireal import BiRealNet

LAYERS = ("stage1.0.conv1", "stage1.0.conv2", "stage2.0.conv1", "stage2.0.conv2")


def images() -> DataBundle:
    torch.manual_seed(0)
    split = lambda count: TensorImages(torch.randn(count, 1, 8, 8), torch.randint(0, 3, (count,)))
    return DataBundle("noise", split(48), split(32), split(8), ("a", "b", "c"), (1, 8, 8), (0,), (1,))


def network() -> BiRealNet:
    torch.manual_seed(1)
    return BiRealNet(classes=3, channels=1, image_size=8, stem="cifar", widths=(4, 8), blocks=1, activation="binrelu")


def cost(unit: str = "bytes") -> AdditiveCost:
    return AdditiveCost(unit, 10, dict.fromkeys(LAYERS, 32), dict.fromkeys(LAYERS, 1))
