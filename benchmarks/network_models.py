"""Whole networks with random weights: ResNet-18 and Bi-Real-18 at 224x224, C-ResNet-20 at 32x32, some of their
layers binary.
"""

from __future__ import annotations

import random
import runpy
from collections.abc import Sequence
from pathlib import Path

import torch

from b2nn_tvm import models
from b2nn_tvm.costs.options import option
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert_choice import convert_choice
from b2nn_tvm.mixbin.conversion.options import DEFAULT
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.models.bireal import BiRealNet

SHAPE = (1, 3, 224, 224)
CALIBRATION_IMAGES = 8
SHAPES = {
    "resnet18": SHAPE,
    "bireal18": SHAPE,
    "cresnet20": (1, 3, 32, 32),
    "digits": (1, 3, 32, 32),
    "tiny": (1, 3, 8, 8),
}
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "own_network.py"


def network(name: str, **options: object) -> torch.nn.Module:
    """A built-in network with random weights, whose batch norms have random means and variances as after training.

    ``options`` are those of the network's function.
    """
    torch.manual_seed(0)
    own = {"tiny": _tiny, "digits": _of_digits}
    model = (own.get(name) or models.get(name))(**options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def _of_digits() -> torch.nn.Module:
    """The network of the example, four equal layers in a row."""
    net: type[torch.nn.Module] = runpy.run_path(str(EXAMPLE))["Net"]
    return net(classes=10)


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


def int8_rest(model: torch.nn.Module, binary: Sequence[str], *, shape: Sequence[int] = SHAPE) -> tuple[str, ...]:
    """The layers ``binary`` and, as options, all others that may be int8."""
    rest = [row.name for row in trace(model, shape[1:]) if row.name not in binary and not row.against("int8")]
    return (*binary, *(option(name, "int8") for name in rest))


def save(model: torch.nn.Module, path: Path, choice: Sequence[str] = (), *, shape: Sequence[int] = SHAPE) -> Path:
    """Export the network with the layers of ``choice`` binary, or in the precisions of its options; return the path.

    Quantized layers are calibrated on noise.
    """
    noise = torch.randn((CALIBRATION_IMAGES, *shape[1:]), generator=torch.Generator().manual_seed(1))
    network = convert_choice(model, choice, DEFAULT, lambda: [(noise, torch.zeros(len(noise), dtype=torch.long))])
    return export_onnx(network, path, input_shape=shape)
