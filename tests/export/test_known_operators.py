"""Operators are listed once for several exports, and torch.onnx is left as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from b2nn_tvm.export.export_onnx import export_onnx


def test_two_exports_list_the_operators_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = pytest.importorskip("torch.onnx._internal.exporter._registration")
    calls, listed = Counter(), registration.onnxscript_apis.get_torchlib_ops

    def counted():
        calls["listed"] += 1
        return listed()

    monkeypatch.setattr(registration.onnxscript_apis, "get_torchlib_ops", counted)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU())
    first, second = (export_onnx(network, tmp_path / name, input_shape=(2, 6, 6)) for name in ("a.onnx", "b.onnx"))
    assert calls["listed"] == 1 and first.read_bytes() == second.read_bytes()
    assert registration.onnxscript_apis.get_torchlib_ops is counted
