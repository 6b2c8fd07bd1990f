"""What a survey tells about one torch network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.support.surveys import torch_network
from tests.support.surveys.torch_network import most_common, settle_batch_norms, try_network


class Net(nn.Sequential):
    def __init__(self) -> None:
        convs = [nn.Conv2d(32 if depth else 3, 32, 3, padding=1, bias=False) for depth in range(4)]
        blocks = [layer for conv in convs for layer in (conv, nn.BatchNorm2d(32), nn.ReLU())]
        super().__init__(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5))


def test_a_network_that_works_has_all_its_figures() -> None:
    row = try_network(Net(), (3, 8, 8))
    assert row["outcome"] == "passed", row
    assert (row["eligible layers"], row["made binary"], row["compiled to binary"]) == (3, 2, 2)
    assert row["layers that stay float"] == "1 x first convolution; 1 x classifier"
    assert float(row["of onnxruntime"]) < 1e-4
    assert float(row["of torch"]) < 1e-4
    assert set(row) <= set(torch_network.COLUMNS)


class Refused(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.shape[1] == 3 and float(x.sum()) < float("inf") else x


def test_the_step_that_fails_is_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    row = try_network(Refused(), (3, 8, 8))
    assert row["outcome"] in ("not traced", "not exported")
    assert "Refused" in row["reason"].args[0]

    def fault(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("of this program")

    monkeypatch.setattr("b2nn_tvm.export.export_onnx", fault)
    row = try_network(Net(), (3, 8, 8))
    assert (row["outcome"], row["reason"]) == ("raw error", "not exported: ZeroDivisionError: of this program")


def test_batch_norms_get_the_statistics_of_what_they_see() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)).eval()
    settle_batch_norms(net, (3, 6, 6), batch=8)
    assert torch.allclose(net[2].running_mean, torch.zeros(4), atol=1e-4)
    assert torch.allclose(net[2].running_var, torch.ones(4), atol=1e-2)
    assert net[1].momentum == 0.1
    assert not net.training


def test_reasons_are_counted() -> None:
    assert most_common(["a", "b", "", "a", "c", "d"]) == "2 x a; 1 x b; 1 x c"
