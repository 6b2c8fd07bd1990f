"""A slimmed network is compiled like any other: its channel counts are what the threshold left."""

import numpy as np
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.slimming.slim import slim
from b2nn_tvm.models.bireal import BiRealNet


def test_the_library_computes_what_torch_computes(tmp_path):
    torch.manual_seed(0)
    options = {"channels": 3, "image_size": 16, "stem": "cifar", "widths": (8, 16), "blocks": 1}
    net = BiRealNet(classes=5, activation="binrelu", **options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.1, 1.0)
    small = slim(net.eval(), (3, 16, 16), parse_budget("40%flops")).model
    widths = {module.out_channels for module in small.modules() if isinstance(module, torch.nn.Conv2d)}
    assert widths - {8, 16}
    x = torch.randn(1, 3, 16, 16)
    path = export_onnx(small, tmp_path / "m.onnx", input_shape=x.shape)
    with compile_model(path, target="native", output=tmp_path / "library") as artifact:
        (found,) = artifact.run({"input": x.numpy()}).values()
    with torch.no_grad():
        np.testing.assert_allclose(found, small(x).numpy(), rtol=1e-4, atol=1e-5)
