"""ONNX files of one layer: float, and binary as the function BinaryConv2d."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload


def float_conv(workload: ConvWorkload, *, channels_last: bool) -> onnx.ModelProto:
    """A convolution with random weights; inputs and outputs are NCHW, or NHWC with transposes around the node."""
    shape = (workload.out_channels, workload.in_channels // workload.groups, *workload.kernel)
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    geometry = dict(kernel_shape=workload.kernel, strides=workload.stride, pads=workload.padding, dilations=workload.dilation)
    node = helper.make_node("Conv", ["x", "weight"], ["y"], name="conv", group=workload.groups, **geometry)
    return _model([node], {"weight": weight}, workload, channels_last=channels_last)


def binary_conv(workload: ConvWorkload, *, channels_last: bool) -> onnx.ModelProto:
    """A binary convolution with random weights and scales, float in and float out. No body: compilers know the node."""
    rng = np.random.default_rng(0)
    shape = (workload.out_channels, workload.in_channels, *workload.kernel)
    constants = {
        "weight": reference.pack(reference.sign(rng.standard_normal(shape)).transpose(0, 2, 3, 1)),
        "scale": rng.uniform(0.5, 1.5, workload.out_channels).astype(np.float32),
        "threshold": np.zeros(workload.in_channels, np.float32),
    }
    geometry = dict(kernel_shape=workload.kernel, strides=workload.stride, pads=workload.padding, dilations=workload.dilation)
    node = helper.make_node(
        "BinaryConv2d", ["x", *constants], ["y"], name="conv", domain="b2nn", pad_value=0.0, channels=workload.in_channels, **geometry
    )
    return _model([node], constants, workload, channels_last=channels_last)


def dense(batch: int, inputs: int, outputs: int) -> onnx.ModelProto:
    """A dense layer with bias."""
    rng = np.random.default_rng(0)
    constants = {"w": rng.standard_normal((outputs, inputs)).astype(np.float32), "b": np.zeros(outputs, np.float32)}
    node = helper.make_node("Gemm", ["input", "w", "b"], ["output"], name="fc", transB=1)
    return _finish([node], constants, (batch, inputs), (batch, outputs))


def _model(nodes, constants, w: ConvWorkload, *, channels_last: bool) -> onnx.ModelProto:
    order = (0, 2, 3, 1) if channels_last else (0, 1, 2, 3)
    back = (0, 3, 1, 2) if channels_last else (0, 1, 2, 3)
    nodes = [
        helper.make_node("Transpose", ["input"], ["x"], perm=back),
        *nodes,
        helper.make_node("Transpose", ["y"], ["output"], perm=order),
    ]
    sides = [(w.batch, w.in_channels, w.in_height, w.in_width), (w.batch, w.out_channels, w.out_height, w.out_width)]
    return _finish(nodes, constants, *(tuple(side[axis] for axis in order) for side in sides))


def _finish(nodes, constants, in_shape, out_shape) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "layer", [info("input", in_shape)], [info("output", out_shape)], initializers)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("b2nn", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
