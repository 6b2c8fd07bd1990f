"""Small ONNX models for tests, written in ONNX's text form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from onnx import numpy_helper

# b2nn.BinaryConv2d as the exporter writes it, in standard operators.
BINARY_CONV2D = """
<domain: "b2nn", opset_import: ["" : 18]>
BinaryConv2d <kernel_shape, strides, pads, dilations, pad_value, channels> (x, weight, scale, threshold) => (y)
{
    one = Constant <value_float = 1.0> ()
    minus_one = Constant <value_float = -1.0> ()
    two = Constant <value_float = 2.0> ()
    rear = Constant <value_ints = [1, 2]> ()
    t = Unsqueeze (threshold, rear)
    at_least = GreaterOrEqual (x, t)
    signs = Where (at_least, one, minus_one)
    widths = Constant <value_ints: ints = @pads> ()
    axes = Constant <value_ints = [2, 3]> ()
    value = Constant <value_float: float = @pad_value> ()
    padded = Pad (signs, widths, value, axes)
    shifts64 = Constant <value_ints = [0, 1, 2, 3, 4, 5, 6, 7]> ()
    shifts = Cast <to = 2> (shifts64)
    last = Constant <value_ints = [-1]> ()
    bytes = Unsqueeze (weight, last)
    shifted = BitShift <direction = "RIGHT"> (bytes, shifts)
    mask64 = Constant <value_int = 1> ()
    mask = Cast <to = 2> (mask64)
    bits = BitwiseAnd (shifted, mask)
    line = Constant <value_ints = [0, 0, 0, -1]> ()
    flat = Reshape (bits, line)
    zero = Constant <value_ints = [0]> ()
    count = Constant <value_int: int = @channels> ()
    counts = Reshape (count, last)
    used = Slice (flat, zero, counts, last)
    numbers = Cast <to = 1> (used)
    doubled = Mul (numbers, two)
    centred = Sub (doubled, one)
    dense = Transpose <perm = [0, 3, 1, 2]> (centred)
    sums = Conv <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
        dilations: ints = @dilations> (padded, dense)
    s = Unsqueeze (scale, rear)
    y = Mul (sums, s)
}
"""


def model(
    nodes: str,
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    inputs: str = "float[1,4,6,5] input",
    outputs: str = "float[N,C,H,W] output",
    opset: int = 18,
    functions: str = "",
) -> onnx.ModelProto:
    """A model with these nodes in text form; ``constants`` are its initializers."""
    domains = f'"" : {opset}, "b2nn" : 1, "qonnx.custom_op.general" : 1'
    text = f"<ir_version: 8, opset_import: [{domains}]>\ntest ({inputs}) => ({outputs}) {{\n{nodes}\n}}\n{functions}"
    built = onnx.parser.parse_model(text)
    for name, value in (constants or {}).items():
        built.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return built


def save(folder: Path, built: onnx.ModelProto, name: str = "model.onnx") -> Path:
    path = folder / name
    onnx.save(built, path)
    return path


def onnxruntime_output(path: Path, *inputs: np.ndarray) -> np.ndarray:
    """The first output as onnxruntime computes it, without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {spec.name: x for spec, x in zip(session.get_inputs(), inputs)})[0]
