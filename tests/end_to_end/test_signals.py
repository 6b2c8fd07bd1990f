"""A network over sound, of 1-D convolutions: traced, converted, exported, compiled, against onnxruntime and torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE

SHAPE = (1, 400)


class Residual(nn.Module):
    """Two convolutions, of which the second is in groups, and a shortcut."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding="same", dilation=2, bias=False)
        self.second = nn.Conv1d(channels, channels, 3, padding=1, groups=groups)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(2))

    def forward(self, x):
        y = self.norms[0](self.first(x)).relu()
        return torch.relu(self.norms[1](self.second(y)) + x)


def network() -> nn.Module:
    """After M5 (Dai et al., 2017): a wide strided convolution of the wave, then narrow ones with poolings between."""
    return nn.Sequential(
        *(nn.Conv1d(1, 32, 40, 4), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(4)),
        Residual(32, 2),
        nn.MaxPool1d(2),
        *(nn.Conv1d(32, 48, 3, stride=2), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout1d(0.1)),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 5)),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "rprelu", "learned_threshold": True},
        pytest.param({"binarizer": "distribution-aware", "pad_value": -1}, marks=pytest.mark.sweep),
    ],
)
def test_a_network_over_sound(options, tmp_path):
    torch.manual_seed(0)
    float_network = network().eval()
    table = trace(float_network, SHAPE)
    assert table.eligible == ["4.first", "4.second", "6"]
    mixed = reestimate(convert(float_network, table.eligible, **options), [(torch.randn(32, *SHAPE),)]).eval()
    oracle = Oracle(export_onnx(mixed, tmp_path / "net.onnx", input_shape=SHAPE))
    compared = 0
    with compile_model(tmp_path / "net.onnx", output=tmp_path / "library", verify=False) as artifact:
        binary = {row.name for row in artifact.layers if row.precision == "binary"}
        assert {name.removesuffix(".box_sum") for name in binary} == set(table.eligible)
        for signal in torch.randn(6, 1, *SHAPE):
            if oracle.closest_tie({"input": signal.numpy()}) < TIE:
                continue
            ours = artifact.run({"input": signal.numpy()})
            with torch.no_grad():
                torchs = mixed(signal).numpy()
            for expected in (oracle.run({"input": signal.numpy()}), {"output": torchs}):
                assert relative_difference(ours, expected) <= TOLERANCE
            compared += 1
    assert compared >= 2
