"""Store a network of an exporter in the corpus, small, with what the exporter itself computes for one input."""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

if TYPE_CHECKING:
    import torch
    from torch import nn

CORPUS = Path(__file__).parents[2] / "corpus" / "files"
_PATTERN = 8191  # a prime: weights repeat, so that they compress, but no two filters are equal
_LARGE = 24_000  # bytes of a file that is compressed
_KEPT = 32  # values of an output that are stored


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give weights few different values that repeat, and batch norms statistics as training leaves them."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    pattern = torch.round(torch.randn(_PATTERN, generator=generator) * 4).add(0.5) / 16
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1:
            start = sum(name.encode()) % _PATTERN
            index = (torch.arange(parameter.numel()) + start) % _PATTERN
            parameter.data = pattern[index].reshape(parameter.shape)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.copy_(torch.randn(part.num_features, generator=generator).mul(4).round().div(4))
            part.running_var.copy_(torch.rand(part.num_features, generator=generator).mul(30).round().add(1))
            part.weight.data.copy_(torch.randn(part.num_features, generator=generator).mul(8).round().add(0.5).div(8))
            part.bias.data.copy_(torch.randn(part.num_features, generator=generator).mul(8).round().add(0.3).div(8))
    return module.eval()


def image(shape: tuple[int, ...]) -> np.ndarray:
    """The input that all files are tried with."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def store(name: str, model: onnx.ModelProto, run: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write ``model`` and what ``run``, the exporter's own side, makes of ``image``."""
    (value,) = [v for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer}]
    shape = tuple(d.dim_value or 1 for d in value.type.tensor_type.shape.dim)
    for node in model.graph.node:  # traces of the exporter's machine
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]
    for described in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del described.metadata_props[:]
    data = model.SerializeToString()
    expected = np.asarray(run(image(shape)), np.float32).reshape(-1)
    for path in CORPUS.glob(f"{name}.onnx*"):
        path.unlink()
    if len(data) > _LARGE:
        (CORPUS / f"{name}.onnx.xz").write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    else:
        (CORPUS / f"{name}.onnx").write_bytes(data)
    table = CORPUS / "expected.json"
    known = json.loads(table.read_text()) if table.exists() else {}
    known[name] = {"size": expected.size, "first": [float(f"{v:.7g}") for v in expected[:_KEPT]]}
    table.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    print(name, len(data), flush=True)


def exported(module: nn.Module, x: torch.Tensor, **options: object) -> onnx.ModelProto:
    """What torch's exporter makes of a module."""
    import torch

    if options.get("dynamo"):
        return torch.onnx.export(module, (x,), None, **options).model_proto
    buffer = io.BytesIO()
    torch.onnx.export(module, (x,), buffer, **options)
    return onnx.load_from_string(buffer.getvalue())
