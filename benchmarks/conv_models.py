"""ONNX files of one layer: float, binary as the function BinaryConv2d, and of codes by whole numbers."""

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
    node = helper.make_node("Conv", ["x", "weight"], ["y"], name="conv", group=workload.groups, **_geometry(workload))
    return _model([node], {"weight": weight}, workload, channels_last=channels_last)


def binary_conv(workload: ConvWorkload, *, channels_last: bool) -> onnx.ModelProto:
    """A binary convolution with random weights and scales on floats; the node has no body, as compilers know it."""
    rng = np.random.default_rng(0)
    shape = (workload.out_channels, workload.in_channels, *workload.kernel)
    constants = {
        "weight": reference.pack(reference.sign(rng.standard_normal(shape)).transpose(0, 2, 3, 1)),
        "scale": rng.uniform(0.5, 1.5, workload.out_channels).astype(np.float32),
        "threshold": np.zeros(workload.in_channels, np.float32),
    }
    extra = {"domain": "b2nn", "pad_value": 0.0, "channels": workload.in_channels}
    node = helper.make_node("BinaryConv2d", ["x", *constants], ["y"], name="conv", **extra, **_geometry(workload))
    return _model([node], constants, workload, channels_last=channels_last)


def code_conv(workload: ConvWorkload, *, codes: int, largest: int, channels_last: bool) -> onnx.ModelProto:
    """A convolution, or a dense layer, of rounded inputs from 0 to ``codes`` - 1 by random whole numbers of both signs,
    from 1 to ``largest``.
    """
    plain = dense(workload) if is_dense(workload) else float_conv(workload, channels_last=channels_last)
    node = next(node for node in plain.graph.node if node.name in ("conv", "fc"))
    weight = next(tensor for tensor in plain.graph.initializer if tensor.name == node.input[1])
    rng, shape = np.random.default_rng(0), tuple(weight.dims)
    whole = (rng.integers(1, largest + 1, shape) * rng.choice((-1, 1), shape)).astype(np.float32)
    weight.CopyFrom(numpy_helper.from_array(whole, weight.name))
    bounds = {"low": np.float32(0), "high": np.float32(codes - 1)}
    plain.graph.initializer.extend(numpy_helper.from_array(np.array(value), name) for name, value in bounds.items())
    rounded = helper.make_node("Round", [node.input[0]], ["rounded"])
    clipped = helper.make_node("Clip", ["rounded", *bounds], ["codes"])
    place = list(plain.graph.node).index(node)
    node.input[0] = "codes"
    plain.graph.node.insert(place, clipped)
    plain.graph.node.insert(place, rounded)
    return plain


def bitserial_conv(workload: ConvWorkload, *, weight_bits: int, activation_bits: int) -> onnx.ModelProto:
    """A convolution of activations from 0 to 2^b - 1 halves by weights of whole numbers, two's complement or +-1, times
    random scales; inputs and outputs are NHWC.
    """
    rng = np.random.default_rng(0)
    shape = (workload.out_channels, workload.in_channels, *workload.kernel)
    half = 2 ** (weight_bits - 1)
    whole = rng.integers(-half, half, shape) if weight_bits > 1 else rng.choice((-1, 1), shape)
    scale = rng.uniform(0.5, 1.5, (workload.out_channels, 1, 1, 1))
    most = 2**activation_bits - 1
    numbers = {"low": 0, "high": most / 2, "two": 2, "half": 0.5}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    nodes = [
        helper.make_node("Clip", ["x", "low", "high"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "two"], ["scaled"]),
        helper.make_node("Round", ["scaled"], ["codes"]),
        helper.make_node("Mul", ["codes", "half"], ["values"]),
        helper.make_node("Conv", ["values", "weight"], ["y"], name="conv", **_geometry(workload)),
    ]
    constants["weight"] = (whole * scale).astype(np.float32)
    return _model(nodes, constants, workload, channels_last=True)


def dense(workload: ConvWorkload) -> onnx.ModelProto:
    """A dense layer with bias that has the channels of ``workload``, a 1x1 convolution of one pixel."""
    inputs, outputs = _dense_sizes(workload)
    rng = np.random.default_rng(0)
    constants = {"w": rng.standard_normal((outputs, inputs)).astype(np.float32), "b": np.zeros(outputs, np.float32)}
    node = helper.make_node("Gemm", ["input", "w", "b"], ["output"], name="fc", transB=1)
    return _finish([node], constants, (1, inputs), (1, outputs))


def binary_dense(workload: ConvWorkload) -> onnx.ModelProto:
    """A binary dense layer with the result of ``binary_conv`` of this workload: a sign, and weights of +-scale."""
    inputs, outputs = _dense_sizes(workload)
    weight, scale = (numpy_helper.to_array(t) for t in binary_conv(workload, channels_last=False).graph.initializer[:2])
    signs = reference.unpack(weight.reshape(outputs, -1), inputs).astype(np.float32)
    zero, one, minus = (np.array(value, np.float32) for value in (0, 1, -1))
    nodes = [
        helper.make_node("GreaterOrEqual", ["input", "zero"], ["positive"]),
        helper.make_node("Where", ["positive", "one", "minus"], ["signs"]),
        helper.make_node("Gemm", ["signs", "w"], ["output"], name="fc", transB=1),
    ]
    constants = {"zero": zero, "one": one, "minus": minus, "w": signs * scale[:, None]}
    return _finish(nodes, constants, (1, inputs), (1, outputs))


def is_dense(workload: ConvWorkload) -> bool:
    return (workload.in_height, workload.in_width, workload.kernel) == (1, 1, (1, 1))


def _dense_sizes(workload: ConvWorkload) -> tuple[int, int]:
    if not is_dense(workload):
        raise ValueError(f"{workload.key} is not a dense layer")
    return workload.in_channels, workload.out_channels


def _geometry(workload: ConvWorkload) -> dict:
    return {
        "kernel_shape": workload.kernel,
        "strides": workload.stride,
        "pads": workload.padding,
        "dilations": workload.dilation,
    }


def _model(nodes, constants, w: ConvWorkload, *, channels_last: bool) -> onnx.ModelProto:
    sides = [(w.batch, w.in_channels, w.in_height, w.in_width), (w.batch, w.out_channels, w.out_height, w.out_width)]
    if not channels_last:
        nodes[0].input[0], nodes[-1].output[0] = "input", "output"
        return _finish(nodes, constants, *sides)
    around = [
        helper.make_node("Transpose", ["input"], ["x"], perm=(0, 3, 1, 2)),
        *nodes,
        helper.make_node("Transpose", ["y"], ["output"], perm=(0, 2, 3, 1)),
    ]
    return _finish(around, constants, *(tuple(side[axis] for axis in (0, 2, 3, 1)) for side in sides))


def _finish(nodes, constants, in_shape, out_shape) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "layer", [info("input", in_shape)], [info("output", out_shape)], initializers)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("b2nn", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
