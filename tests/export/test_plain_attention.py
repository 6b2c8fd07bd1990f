"""Attention over tensors of other ranks than 4 is exported, and computes what torch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from b2nn_tvm.export.export_onnx import export_onnx
from tests.support.networks.onnx_models import onnxruntime_output

CASES = {
    "rank 3": ((6, 4), {}),
    "rank 5, scaled": ((2, 3, 6, 4), {"scale": 0.3}),
    "causal": ((2, 3, 6, 4), {"is_causal": True}),
    "a mask": ((2, 3, 6, 4), {"attn_mask": torch.arange(36).reshape(6, 6) % 3 > 0}),
    "a sum": ((2, 3, 6, 4), {"attn_mask": torch.arange(36.0).reshape(6, 6) / 10}),
    "rank 4, which torch translates": ((3, 6, 4), {}),
}


class Attention(nn.Module):
    """Attention of an image's rows and columns, in ``shape`` behind the batch."""

    def __init__(self, shape: tuple[int, ...], options: dict) -> None:
        super().__init__()
        self.shape, self.options = shape, options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.reshape(1, *self.shape)
        return functional.scaled_dot_product_attention(x, 2 * x, x + 1, **self.options).flatten(1)


@pytest.mark.parametrize("name", CASES)
def test_equals_torch(tmp_path: Path, name: str) -> None:
    shape, options = CASES[name]
    model = Attention(shape, options).eval()
    x = torch.randn(1, int(np.prod(shape)), 1, 1, generator=torch.Generator().manual_seed(0))
    path = export_onnx(model, tmp_path / "m.onnx", input_shape=x.shape)
    np.testing.assert_allclose(onnxruntime_output(path, x.numpy()), model(x).numpy(), rtol=1e-5, atol=1e-6)
