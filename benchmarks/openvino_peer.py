"""OpenVINO: float32 and int8 networks, and networks of its own binary convolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from peers import random_input


def openvino_call(path: Path, *, threads: int) -> Callable[[], object]:
    """One inference of an ONNX file, where nodes BinaryConv2d become OpenVINO's BinaryConvolution.

    Without the precision hint OpenVINO would compute in bfloat16 where the CPU has it.
    """
    import onnx
    import openvino
    from openvino.frontend.onnx import ConversionExtension

    kept: list[object] = []  # OpenVINO refers to the memory of the packed weights, it does not copy it
    model = onnx.load(path)
    del model.functions[:]  # else the importer inlines their bodies
    core = openvino.Core()
    core.add_extension(ConversionExtension("BinaryConv2d", "b2nn", lambda node: _binary_conv(node, kept)))
    network = core.read_model(model.SerializeToString())
    options = {"INFERENCE_NUM_THREADS": str(threads), "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(network, "CPU", options).create_infer_request()
    x = random_input(tuple(network.inputs[0].shape))

    def call(_kept: list[object] = kept) -> object:
        return request.infer([x], share_inputs=True, share_outputs=True)

    return call


def _binary_conv(node, kept: list[object]) -> list:
    """FakeQuantize with two levels, BinaryConvolution, scale; its channels must be a multiple of 8, its thresholds 0."""
    import openvino
    from openvino import opset1

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
        quantized, weights, strides, pads[:2], pads[2:], dilations, "xnor-popcount", float(node.get_attribute("pad_value"))
    )
    scale = np.asarray(node.get_input(2).get_node().data).reshape(1, -1, 1, 1).astype(np.float32)
    return [opset1.multiply(dots, opset1.constant(scale)).output(0)]
