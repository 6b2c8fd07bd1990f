"""The modules that are exported in place of quantized layers, in standard operators that any runtime runs:

    x -> QuantizeLinear (uint8) -> [Clip to 0 .. 3] -> DequantizeLinear -> Conv or Gemm <- DequantizeLinear <- int8

int8 layers have no Clip; layers of fewer bits have it between the two, as Brevitas writes them (QCDQ).
``write_zero_points`` completes the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLayer
from b2nn_tvm.reference.onnx_functions import OPSET

BYTE = 8  # bits of QuantizeLinear's codes, which fewer bits clip


class QuantizedForm(nn.Module):
    """A quantized layer with its weights as int8 codes; nothing in it is trained.

    Raises InputError where the input of the layer, called ``name``, has no scale yet.
    """

    step: torch.Tensor
    zero_point: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor
    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, layer: QuantizedLayer, *, name: str):
        super().__init__()
        quantizer, codes = layer.input_quantizer, layer.weight_codes
        if not quantizer.calibrated:
            raise InputError(f"the input of layer {name} has no scale yet: calibrate the network, then export")
        self._multiply, self._clips = layer.multiply, quantizer.bits < BYTE
        self.register_buffer("step", quantizer.step.detach().clone())
        self.register_buffer("zero_point", quantizer.zero_point.to(torch.uint8))
        self.register_buffer("lowest", torch.tensor(0, dtype=torch.uint8))
        self.register_buffer("highest", torch.tensor(quantizer.levels, dtype=torch.uint8))
        self.register_buffer("weight", codes.codes)
        self.register_buffer("scale", codes.scale.detach().clone())
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = _operator("QuantizeLinear", (x, self.step, self.zero_point), like=x, dtype=torch.uint8)
        if self._clips:
            codes = _operator("Clip", (codes, self.lowest, self.highest), like=x, dtype=torch.uint8)
        x = _operator("DequantizeLinear", (codes, self.step, self.zero_point), like=x, dtype=x.dtype)
        weight = _operator("DequantizeLinear", (self.weight, self.scale), like=self.weight, dtype=x.dtype, axis=0)
        return self._multiply(x, weight, self.bias)


def write_zero_points(proto: onnx.ModelProto) -> None:
    """Give each DequantizeLinear of weights zero points of its own, in place.

    They are 0, as they are without. onnxruntime's ``session.x64quantprecision`` makes weights unsigned by moving their
    zero points, for which it expects as many as there are scales, and that no other layer shares them.
    """
    scales = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 2:
            zeros = np.zeros(scales[node.input[1]].dims, np.int8)
            name = f"{node.input[0]}_zero_point"
            proto.graph.initializer.append(onnx.numpy_helper.from_array(zeros, name))
            node.input.append(name)


def _operator(
    name: str, inputs: tuple[torch.Tensor, ...], *, like: torch.Tensor, dtype: torch.dtype, **attributes: Any
) -> torch.Tensor:
    """A standard ONNX operator whose result has the shape of ``like``."""
    return torch.onnx.ops.symbolic(name, inputs, attributes, dtype=dtype, shape=like.shape, version=OPSET)
