"""Whole networks with random weights: ResNet-18 and Bi-Real-18 at 224x224, C-ResNet-20 at 32x32, some of their
layers binary.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch

from b2nn_tvm import models
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.models.bireal import BiRealNet

SHAPE = (1, 3, 224, 224)
SHAPES = {"resnet18": SHAPE, "bireal18": SHAPE, "cresnet20": (1, 3, 32, 32), "tiny": (1, 3, 8, 8)}


def network(name: str, **options: object) -> torch.nn.Module:
    """A built-in network with random weights, whose batch norms have random means and variances as after training.

    ``options`` are those of the network's function.
    """
    torch.manual_seed(0)
    model = _tiny() if name == "tiny" else models.get(name)(**options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def _tiny() -> torch.nn.Module:
    """A small network to try a benchmark: one block, with two layers that may be binary."""
    return BiRealNet(classes=10, channels=3, image_size=8, stem="cifar", widths=(32,), blocks=1, activation="relu")


def eligible(model: torch.nn.Module, *, shape: Sequence[int] = SHAPE) -> tuple[str, ...]:
    """The layers that may become binary, front to back."""
    return tuple(trace(model, shape[1:]).eligible)


def macs(model: torch.nn.Module, *, shape: Sequence[int] = SHAPE) -> int:
    """The multiply-accumulates of all convolutions and dense layers; float and binary layers count alike."""
    return sum(layer.workload.macs for layer in trace(model, shape[1:]))


def share_of_flops(
    model: torch.nn.Module, share: float, *, shape: Sequence[int] = SHAPE, seed: int = 0
) -> tuple[str, ...]:
    """The layers to make binary so that the network has at most ``share`` of its FLOPs: the first of a random order."""
    order = list(eligible(model, shape=shape))
    random.Random(seed).shuffle(order)
    whole = flops(model, shape)
    for count in range(len(order) + 1):
        if flops(model, shape, binary=order[:count]) <= share * whole:
            return tuple(order[:count])
    return tuple(order)


def save(model: torch.nn.Module, path: Path, binary: Sequence[str] = (), *, shape: Sequence[int] = SHAPE) -> Path:
    """Export the network with the layers ``binary`` made binary; return the path."""
    return export_onnx(convert(model, binary) if binary else model, path, input_shape=shape)
