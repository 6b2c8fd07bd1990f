"""An ONNX file in OpenVINO: float, int8, or with OpenVINO's binary convolution; its arrays are bound beforehand."""

from __future__ import annotations

import numpy as np
import onnx
import openvino
from inputs import random_input
from openvino import opset1
from openvino.frontend.onnx import ConversionExtension


def load(*, path: str, threads: int):
    """The timed call and the result of the file; its nodes BinaryConv2d become OpenVINO's BinaryConvolution.

    Without the precision hint OpenVINO would compute in bfloat16 where the CPU has it. The arrays are bound because
    ``infer`` with arguments checks them anew in each call, which takes longer than a small layer.
    """
    kept: list[object] = []  # OpenVINO refers to the memory of the packed weights, it does not copy it
    model = onnx.load(path)
    del model.functions[:]  # else the importer inlines their bodies
    core = openvino.Core()
    core.add_extension(ConversionExtension("BinaryConv2d", "b2nn", lambda node: _binary_conv(node, kept)))
    network = core.read_model(model.SerializeToString())
    options = {"INFERENCE_NUM_THREADS": str(threads), "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(network, "CPU", options).create_infer_request()
    x = random_input(network.inputs[0].shape)
    y = np.empty(tuple(network.outputs[0].shape), np.float32)
    kept += [x, y]
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    request.set_output_tensor(openvino.Tensor(y, shared_memory=True))
    return lambda: request.infer(share_outputs=True), lambda _kept=kept: y


def _binary_conv(node, kept: list[object]) -> list:
    """A binary convolution in OpenVINO: FakeQuantize with two levels, BinaryConvolution, scale.

    Its channels must be a multiple of 8, its thresholds 0.
    """
    packed = np.asarray(node.get_input(1).get_node().data)
    channels = node.get_attribute("channels")
    thresholds = np.asarray(node.get_input(3).get_node().data)
    if channels % 8 or thresholds.any():
        raise ValueError("OpenVINO's binary convolution is only right for channels in eights and thresholds of zero")
    signs = np.unpackbits(packed, axis=-1, count=channels, bitorder="little").transpose(0, 3, 1, 2)
    bits = np.packbits(np.ascontiguousarray(signs).reshape(-1), bitorder="little")
    weights = openvino.op.Constant(openvino.Tensor(bits, openvino.Shape(list(signs.shape)), openvino.Type.u1))
    kept += [bits, weights]
    low, high = np.float32(-1), np.float32(1)
    quantized = opset1.fake_quantize(node.get_input(0), low, high, low, high, 2)
    strides, pads, dilations = ([int(v) for v in node.get_attribute(name)] for name in ("strides", "pads", "dilations"))
    dots = opset1.binary_convolution(
        quantized,
        weights,
        strides,
        pads[:2],
        pads[2:],
        dilations,
        "xnor-popcount",
        float(node.get_attribute("pad_value")),
    )
    scale = np.asarray(node.get_input(2).get_node().data).reshape(1, -1, 1, 1).astype(np.float32)
    return [opset1.multiply(dots, opset1.constant(scale)).output(0)]
