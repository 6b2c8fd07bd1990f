"""Networks with weight-binary layers: every geometry in one file, and a small residual network with layers of each
precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload
from tests.support.networks.onnx_models import model, save

SIZE = (9, 8)


@dataclass(frozen=True)
class Layer:
    """One weight-binary convolution of an input of its own; ``workload.padding`` is filled with ``pad_value``."""

    workload: ConvWorkload
    pad_value: int = 0

    @property
    def signs(self) -> np.ndarray:
        w = self.workload
        rng = np.random.default_rng([w.in_channels, w.out_channels])
        return reference.sign(rng.standard_normal((w.out_channels, w.in_channels, *w.kernel)))

    @property
    def scale(self) -> np.ndarray:
        return (
            np.random.default_rng(self.workload.out_channels).uniform(0.5, 2, self.workload.out_channels).astype("f4")
        )

    @property
    def x(self) -> np.ndarray:
        w = self.workload
        return np.random.default_rng(1).standard_normal((w.batch, w.in_channels, *SIZE)).astype("f4")

    @property
    def expected(self) -> np.ndarray:
        w = self.workload
        geometry = {"stride": w.stride, "padding": w.padding, "dilation": w.dilation}
        return reference.weight_binary_conv2d(self.x, self.signs, self.scale, pad_value=self.pad_value, **geometry)


def _layer(channels, outputs, kernel, *, pad_value=0, batch=1, **geometry) -> Layer:
    return Layer(ConvWorkload(batch, channels, *SIZE, outputs, kernel, **geometry), pad_value)


LAYERS = {
    "c1": _layer(1, 64, (3, 3), padding=(1, 1, 1, 1)),
    "c3": _layer(3, 33, (5, 5), padding=(2, 2, 2, 2), stride=(2, 2)),
    "c31": _layer(31, 3, (3, 3), padding=(1, 1, 1, 1), pad_value=1),
    "c32": _layer(32, 31, (1, 1)),
    "c33": _layer(33, 65, (3, 3), padding=(2, 2, 2, 2), dilation=(2, 2), pad_value=-1),
    "c64": _layer(64, 32, (3, 3), padding=(1, 1, 1, 1)),
    "c65": _layer(65, 1, (1, 1), stride=(2, 1)),
    "lopsided": _layer(3, 16, (3, 1), padding=(0, 1, 2, 0), batch=2),
    "winograd": _layer(31, 33, (3, 3), padding=(1, 0, 0, 1), pad_value=-1),
}


def save_layers(folder: Path) -> Path:
    """All of LAYERS as plain convolutions by scale * signs, one input and one output each."""
    nodes, constants, inputs, outputs = [], {}, [], []
    for name, layer in LAYERS.items():
        w = layer.workload
        top, left, bottom, right = w.padding
        constants |= {
            f"{name}_w": (layer.signs * layer.scale[:, None, None, None]).astype("f4"),
            f"{name}_pads": np.array([0, 0, top, left, 0, 0, bottom, right]),
            f"{name}_value": np.float32(layer.pad_value),
        }
        nodes.append(f"{name}_p = Pad ({name}_x, {name}_pads, {name}_value)")
        nodes.append(f"{name} = Conv <strides = {list(w.stride)}, dilations = {list(w.dilation)}> ({name}_p, {name}_w)")
        inputs.append(f"float[{w.batch},{w.in_channels},{SIZE[0]},{SIZE[1]}] {name}_x")
        outputs.append(f"float[N{name},C{name},H{name},W{name}] {name}")
    built = model("\n".join(nodes), constants, inputs=", ".join(inputs), outputs=", ".join(outputs))
    for node in built.graph.node:
        node.name = node.output[0]
    return save(folder, built)


RESNET_PLAN = {
    "0": "weight-binary",
    "3.conv1": "weight-binary",
    "3.conv2": "binary",
    "4.conv1": "float",
    "4.conv2": "weight-binary",
    "4.downsample.0": "float",
}


def small_resnet(binarizer: str = "xnor"):
    """Stem, two residual blocks and a classifier in torch, by RESNET_PLAN; random statistics of batch norm. Input
    [3, 32, 32].
    """
    import torch
    from torch import nn

    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.models.resnet import BasicBlock
    from b2nn_tvm.plan import Plan, Precision

    torch.manual_seed(0)
    blocks = (BasicBlock(16, 16, 1, "relu"), BasicBlock(16, 32, 2, "relu"))
    stem = (nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    network = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    plan = Plan({name: Precision(word) for name, word in RESNET_PLAN.items()})
    mixed = convert(network, plan, binarizer=binarizer)
    for module in mixed.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return mixed.eval()


def export_resnet(folder: Path) -> Path:
    """``small_resnet`` as ONNX."""
    from b2nn_tvm.export.export_onnx import export_onnx

    return export_onnx(small_resnet(), folder / "resnet.onnx", input_shape=(3, 32, 32))
