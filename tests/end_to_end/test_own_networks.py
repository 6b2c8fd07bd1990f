"""A network of one's own with the structures that networks have: converted, exported, compiled, against onnxruntime
and torch.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE

SHAPE = (3, 16, 16)


def conv_bn(inputs: int, outputs: int, kernel: int = 3, **options) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **options)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Own(nn.Module):
    """ReLUs as functions, shared by branches, in place; poolings of three kinds, dropout, a transposed view of
    channels.
    """

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 16)
        self.first, self.second, self.shortcut = conv_bn(16, 32, stride=2), conv_bn(32, 32), conv_bn(16, 32, 1)
        self.left, self.right, self.dropout = conv_bn(32, 8, 1), conv_bn(32, 24), nn.Dropout2d(0.2)
        self.grouped, self.mix = conv_bn(64, 64, groups=4), conv_bn(64, 32, 1)
        self.expand, self.depthwise, self.project = conv_bn(32, 48, 1), conv_bn(48, 48, groups=48), conv_bn(48, 32, 1)
        self.last, self.fc = nn.Conv2d(32, 20, 4), nn.Linear(20, 5)
        self.norm, self.act = nn.BatchNorm2d(20), nn.ReLU6(inplace=True)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(self.second(F.relu(self.first(x))) + self.shortcut(F.avg_pool2d(x, 2)))  # residual, projected
        x = torch.cat([self.left(x).relu(), self.right(self.dropout(x)).relu(), x], 1)  # concatenation
        x = F.max_pool2d(self.grouped(x), 2).view(x.size(0), 4, 16, 4, 4).transpose(1, 2).flatten(1, 2)
        x = F.relu(self.mix(F.relu(x, inplace=True)))  # the groups' channels shuffled
        x = self.project(self.act(self.depthwise(self.act(self.expand(x))))) + x  # inverted residual
        x = self.act(self.norm(self.last(F.hardtanh(x))))  # the image is left as one pixel
        return self.fc(F.dropout(x.flatten(1), training=self.training))


ELIGIBLE = ["first.0", "second.0", "left.0", "right.0", "grouped.0", "mix.0", "expand.0", "project.0", "last"]
FLOAT = {
    "stem.0": "first convolution",
    "shortcut.0": "1x1 projection of a shortcut",
    "depthwise.0": "depthwise convolution",
    "fc": "classifier",
}


def test_a_network_with_all_structures(tmp_path):
    torch.manual_seed(0)
    network = Own().eval()
    table = trace(network, SHAPE)
    assert table.eligible == ELIGIBLE
    assert {row.name: row.reason for row in table if not row.eligible} == FLOAT
    mixed = reestimate(convert(network, table.eligible), [(torch.randn(32, *SHAPE),)]).eval()
    oracle = Oracle(export_onnx(mixed, tmp_path / "net.onnx", input_shape=SHAPE))
    compared = 0
    with compile_model(tmp_path / "net.onnx", output=tmp_path / "library", verify=False) as artifact:
        assert {row.name for row in artifact.layers if row.precision == "binary"} == set(ELIGIBLE)
        for image in torch.randn(12, 1, *SHAPE):
            if oracle.closest_tie({"input": image.numpy()}) < TIE:
                continue
            ours = artifact.run({"input": image.numpy()})
            with torch.no_grad():
                torchs = mixed(image).numpy()
            for expected in (oracle.run({"input": image.numpy()}), {"output": torchs}):
                assert relative_difference(ours, expected) <= TOLERANCE
            compared += 1
    assert compared >= 6
