"""Operators that torch's exporter alone does not know: onnxruntime computes what torch computes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from b2nn_tvm.export.export_onnx import export_onnx


class Sign(nn.Module):
    def forward(self, x):
        return torch.copysign(torch.ones_like(x), x)


class SignOfNumber(nn.Module):
    def forward(self, x):
        return 2.5 * torch.copysign(torch.tensor(-1.0), x)


class Hypot(nn.Module):
    def forward(self, x):
        return torch.hypot(x, x - 1)


@pytest.mark.parametrize("module", [Sign(), SignOfNumber(), Hypot(), nn.RReLU(), nn.RReLU(0.1, 0.4, inplace=True)])
def test_files_compute_what_torch_does(tmp_path, module):
    path = export_onnx(module, tmp_path / "net.onnx", input_shape=(2, 3, 4))
    image = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    image[0, 0, 0, 0] = 0
    (output,) = onnxruntime.InferenceSession(path).run(None, {"input": image.numpy()})
    np.testing.assert_allclose(output, module.eval()(image.clone()).numpy(), rtol=1e-6)
