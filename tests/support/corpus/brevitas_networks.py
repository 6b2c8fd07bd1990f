"""Networks written by Brevitas 0.13.4 and QONNX 1.0.0, with torch 2.13.0.

python -m tests.support.corpus.brevitas_networks [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas_examples.bnn_pynq.models.CNV import CNV
from brevitas_examples.bnn_pynq.models.common import CommonActQuant, CommonWeightQuant
from brevitas_examples.bnn_pynq.models.FC import FC
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.util.cleanup import cleanup_model
from torch import nn

from tests.support.corpus.write_file import fill, image, store


def sign(scale: float = 1.0) -> nn.Module:
    return QuantIdentity(act_quant=SignedBinaryActPerTensorConst, scaling_init=scale)


def conv(inputs: int, outputs: int, kernel: int, kind: type = QuantConv2d, **options: object) -> nn.Module:
    options = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst, "scaling_init": 0.1, **options}
    options["weight_scaling_init"] = options.pop("scaling_init")
    return kind(inputs, outputs, kernel, **options)


def dense(inputs: int, outputs: int, **options: object) -> nn.Module:
    weights = {"weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_init": 0.1}
    return QuantLinear(inputs, outputs, **{"bias": False, **weights, **options})


class Residual(nn.Module):
    """Two binary blocks with real shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(sign(), conv(16, 16, 3, padding=1), nn.BatchNorm2d(16)) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.first(x)
        return x + self.second(x)


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv": (lambda: nn.Sequential(sign(), conv(16, 8, 3, padding=1)), (1, 16, 8, 8)),
    "conv_bias": (lambda: nn.Sequential(sign(), conv(16, 8, 3, bias=True)), (1, 16, 8, 8)),
    "conv_strided": (lambda: nn.Sequential(sign(0.5), conv(8, 16, 3, stride=2, padding=1), norm(16)), (1, 8, 9, 9)),
    "conv_1x1": (lambda: nn.Sequential(sign(), conv(32, 8, 1), norm(8)), (1, 32, 5, 5)),
    "conv_dilated": (lambda: nn.Sequential(sign(), conv(8, 8, 3, dilation=2, padding=2)), (1, 8, 9, 9)),
    "conv_common": (
        lambda: nn.Sequential(
            QuantIdentity(act_quant=CommonActQuant, bit_width=1),
            QuantConv2d(8, 8, 3, bias=False, weight_quant=CommonWeightQuant, weight_bit_width=1),
            norm(8),
        ),
        (1, 8, 8, 8),
    ),
    "two_convs": (
        lambda: nn.Sequential(
            sign(), conv(8, 16, 3, padding=1), norm(16), sign(), conv(16, 8, 3, padding=1), norm(8), nn.ReLU()
        ),
        (1, 8, 8, 8),
    ),
    "pooled": (
        lambda: nn.Sequential(
            sign(),
            conv(8, 16, 3),
            norm(16),
            nn.MaxPool2d(2),
            sign(),
            conv(16, 8, 3),
            norm(8),
            sign(),
            nn.Flatten(),
            dense(32, 10),
        ),
        (1, 8, 10, 10),
    ),
    "pooled_signs": (
        lambda: nn.Sequential(sign(), conv(8, 16, 3), norm(16), sign(), nn.MaxPool2d(2), conv(16, 8, 3), norm(8)),
        (1, 8, 10, 10),
    ),
    "residual": (Residual, (1, 16, 6, 6)),
    "grouped": (lambda: nn.Sequential(sign(), conv(64, 32, 3, groups=2, padding=1), norm(32)), (1, 64, 6, 6)),
    "depthwise": (lambda: nn.Sequential(sign(), conv(16, 16, 3, groups=16, padding=1), norm(16)), (1, 16, 6, 6)),
    "conv1d": (
        lambda: nn.Sequential(
            sign(), conv(16, 8, 5, QuantConv1d, padding=2), nn.BatchNorm1d(8), sign(), conv(8, 8, 3, QuantConv1d)
        ),
        (1, 16, 24),
    ),
    "dense": (lambda: nn.Sequential(sign(), dense(32, 10)), (1, 32)),
    "dense_bias": (lambda: nn.Sequential(sign(0.25), dense(32, 10, bias=True)), (4, 32)),
    "dense_tokens": (lambda: nn.Sequential(sign(), dense(32, 16)), (1, 5, 32)),
    "per_channel": (
        lambda: nn.Sequential(
            sign(), QuantConv2d(16, 8, 3, bias=False, weight_quant=CommonWeightQuant, weight_bit_width=1), norm(8)
        ),
        (1, 16, 6, 6),
    ),
    "w1a2": (lambda: nn.Sequential(QuantReLU(bit_width=2), conv(16, 8, 3, padding=1), norm(8)), (1, 16, 6, 6)),
    "w2a1": (
        lambda: nn.Sequential(
            sign(), QuantConv2d(16, 8, 3, bias=False, weight_quant=CommonWeightQuant, weight_bit_width=2), norm(8)
        ),
        (1, 16, 6, 6),
    ),
    "w4a4": (
        lambda: nn.Sequential(QuantReLU(bit_width=4), QuantConv2d(16, 8, 3, bias=False, weight_bit_width=4), norm(8)),
        (1, 16, 6, 6),
    ),
    **{
        name: (
            lambda sizes=sizes: FC(10, 1, 1, 1, 1, sizes),
            (1, 1, 28, 28),
        )
        for name, sizes in {"tfc": [64] * 3, "sfc": [256] * 3, "lfc": [1024] * 3}.items()
    },
    **{
        f"{name}_{weights}w2a": (
            lambda sizes=sizes, weights=weights: FC(10, weights, 2, 2, 1, sizes),
            (1, 1, 28, 28),
        )
        for name, sizes, weights in (("tfc", [64] * 3, 1), ("tfc", [64] * 3, 2), ("lfc", [1024] * 3, 1))
    },
    "cnv": (lambda: CNV(10, 1, 1, 8, 3), (1, 3, 32, 32)),
    "cnv_1w2a": (lambda: CNV(10, 1, 2, 8, 3), (1, 3, 32, 32)),
    "cnv_2w2a": (lambda: CNV(10, 2, 2, 8, 3), (1, 3, 32, 32)),
}


onnx.IR_VERSION = 10  # QONNX computes single nodes by onnxruntime, which lags behind onnx


def main(only: set[str]) -> None:
    for name, (make, shape) in NETWORKS.items():
        for exporter, dynamo in (("brevitas", True), ("brevitas_script", False)):
            if (only and name not in only) or (not dynamo and name.startswith(("lfc", "sfc", "cnv"))):
                continue
            module = fill(make())
            x = torch.from_numpy(image(shape))
            run = lambda array, module=module: module(torch.from_numpy(array)).detach().numpy()
            with tempfile.TemporaryDirectory() as folder, torch.no_grad():
                path = str(Path(folder) / "network.onnx")
                try:
                    export_qonnx(module, args=x, export_path=path, dynamo=dynamo)
                except Exception as error:  # noqa: BLE001 - an exporter may not know all of this; the next one is tried
                    print(f"{exporter}_{name} is not exported: {str(error).splitlines()[0]}", file=sys.stderr)
                    continue
                model = onnx.load(path)
                store(f"{exporter}_{name}", model, run)
                if dynamo and name in ("conv_bias", "pooled", "residual", "tfc", "two_convs", "dense_tokens"):
                    transformed(f"qonnx_{name}", path)


def transformed(name: str, path: str) -> None:
    """What QONNX's own transformations make of a file; QONNX computes the result."""
    clean = cleanup_model(ModelWrapper(path))

    def run(wrapper: ModelWrapper) -> Callable[[np.ndarray], np.ndarray]:
        (entry,), (exit_,) = wrapper.graph.input, wrapper.graph.output
        return lambda array: execute_onnx(wrapper, {entry.name: array})[exit_.name]

    store(f"{name}_clean", clean.model, run(clean))
    if any(node.op_type == "Gemm" and len(node.input) == 3 for node in clean.graph.node):
        matmul = clean.transform(GemmToMatMul())
        store(f"{name}_matmul", matmul.model, run(matmul))
    if any(node.op_type == "Conv" for node in clean.graph.node):
        last = clean.transform(ConvertToChannelsLastAndClean())
        store(f"{name}_channels_last", last.model, run(last))


if __name__ == "__main__":
    main(set(sys.argv[1:]))
