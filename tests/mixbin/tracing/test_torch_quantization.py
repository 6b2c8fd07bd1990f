"""What torch.ao.quantization leaves in a network: observers are taken off, quantizers and quantized layers named."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.ao import quantization

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.network.layers import trace

SHAPE = (3, 6, 6)


def observed(config=None):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(32, 5))
    model = nn.Sequential(quantization.QuantStub(), layers, quantization.DeQuantStub()).eval()
    model.qconfig = config or quantization.get_default_qconfig("x86")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.prepare(model, inplace=True)
        model(torch.randn(2, *SHAPE))
    return model


def trained():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).train()
    model.qconfig = quantization.get_default_qat_qconfig("x86")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantization.prepare_qat(model)


def test_observers_are_taken_off(tmp_path):
    model = observed()
    assert trace(model, SHAPE).eligible == ["1.2"]
    export_onnx(model, tmp_path / "net.onnx", input_shape=SHAPE)
    assert type(model[1][2].activation_post_process).__name__ == "HistogramObserver"  # in the original they stay


def test_quantizers_of_training_are_refused():
    with pytest.raises(UnsupportedError, match=r"its module '0.weight_fake_quant', .* before .*prepare_qat"):
        trace(trained(), SHAPE)


def test_quantized_layers_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dynamic = quantization.quantize_dynamic(nn.Sequential(nn.Flatten(), nn.Linear(108, 4)), {nn.Linear})
    with pytest.raises(UnsupportedError, match=r"its module '1', a Linear, has no float weights"):
        export_onnx(dynamic, tmp_path / "net.onnx", input_shape=SHAPE)
