"""Distribution-aware layers compiled: an xnor convolution and a box sum over one packing of the input."""

import numpy as np
import pytest
import torch
from torch import nn

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d


class Net(nn.Module):
    def __init__(self, pad_value: int):
        super().__init__()
        options = {"padding": (1, 1, 1, 1), "pad_value": pad_value, "binarizer": "distribution-aware"}
        self.strided = BinaryConv2d(35, 16, (3, 3), stride=(2, 2), **options)
        self.second = BinaryConv2d(16, 9, (3, 3), learned_threshold=True, **options)
        self.norm = nn.BatchNorm2d(16)
        nn.init.normal_(self.second.threshold, std=0.3)
        nn.init.normal_(self.strided.weight, mean=0.5)

    def forward(self, x):
        return self.second(self.norm(self.strided(x)))


@pytest.mark.parametrize(("form", "pad_value"), [("function", 0), ("plain", -1)])
def test_the_library_computes_what_torch_computes(tmp_path, form, pad_value):
    torch.manual_seed(0)
    net = Net(pad_value).eval()
    x = torch.randn(1, 35, 9, 8)
    path = export_onnx(net, tmp_path / "m.onnx", input_shape=x.shape, form=form)
    with compile_model(path, target="native", output=tmp_path / "library") as artifact:
        (found,) = artifact.run({"input": x.numpy()}).values()
        precisions = {row.name: row.precision for row in artifact.layers}
    with torch.no_grad():
        np.testing.assert_allclose(found, net(x).numpy(), rtol=1e-4, atol=1e-4)
    layers = ("strided", "strided.box_sum", "second", "second.box_sum")
    assert {name: precisions[name] for name in layers} == dict.fromkeys(layers, "binary")
