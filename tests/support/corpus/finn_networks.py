"""Layers as FINN's transformations leave them, with the results of QONNX 1.0.0's executor.

python -m tests.support.corpus.finn_networks

Weights are whole numbers, and scales stand behind the sums; activations are counts of thresholds, with an offset or a
scale, in either data layout.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from tests.support.corpus.write_file import store

RNG = np.random.default_rng(14)
QONNX = "qonnx.custom_op.general"
INS, OUT, SIZE = 16, 8, 6


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    domain = QONNX if op in ("MultiThreshold", "MaxPoolNHWC") else ""
    return helper.make_node(op, inputs.split(), [output], domain=domain, **attributes)


def whole(bits: int, *shape: int) -> np.ndarray:
    """Weights of one bit are -1 and +1; those of more are two's complement."""
    half = 2 ** (bits - 1)
    return (RNG.integers(-half, half, shape) if bits > 1 else RNG.choice((-1, 1), shape)).astype(np.float32)


def thresholds(channels: int, bits: int, unit: float = 0.25) -> np.ndarray:
    """2^b - 1 thresholds of each channel: multiples of the unit, so that some are met exactly."""
    steps = 2**bits - 1
    return np.sort(np.rint(RNG.normal(0, 1, (channels, steps)) / unit) * unit, axis=1).astype(np.float32)


def write(
    name: str,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    shape: tuple[int, ...] = (1, INS, SIZE, SIZE),
) -> None:
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", floats, shape)],
        [helper.make_tensor_value_info("y", floats, None)],
        [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()],
        value_info=[helper.make_tensor_value_info("a", floats, shape)],  # the codes of x
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    wrapper = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8)).transform(InferShapes())
    store(f"finn_{name}", wrapper.model, lambda array: execute_onnx(wrapper, {"x": array})["y"])


def convolution(weights: str, source: str, result: str) -> onnx.NodeProto:
    return node("Conv", f"{source} {weights}", result, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def main() -> None:
    scales = (RNG.integers(1, 9, (1, OUT, 1, 1)) / 8).astype(np.float32)
    two = {"t": thresholds(INS, 2), "w": whole(2, OUT, INS, 3, 3)}
    first = {"t": thresholds(INS, 2), "w": whole(1, OUT, INS, 3, 3)}

    # Thresholds of whole sums, a pooling of codes, and the scale at the end.
    streamlined = [
        node("MultiThreshold", "x t", "a", out_dtype="UINT2"),
        convolution("w", "a", "sums"),
        node("MultiThreshold", "sums t2", "b", out_dtype="UINT2"),
        node("MaxPool", "b", "p", kernel_shape=[2, 2], strides=[2, 2]),
        convolution("w2", "p", "more"),
        node("Mul", "more s", "scaled"),
        node("Add", "scaled shift", "y"),
    ]
    more = {"t2": thresholds(OUT, 2, 0.25) * 64, "w2": whole(2, OUT, OUT, 3, 3), "s": scales, "shift": scales * 3}
    write("streamlined_1w2a", streamlined, {**first, **more})

    # Offsets: codes of INT2, and odd levels around zero, which are padded with zero between two of them.
    signed = node("MultiThreshold", "x t", "a", out_dtype="INT2", out_bias=-2.0)
    write("signed_2w2a", [signed, convolution("w", "a", "sums"), node("Mul", "sums s", "y")], {**two, "s": scales})
    odd = node("MultiThreshold", "x t", "a", out_dtype="INT3", out_scale=2.0, out_bias=-3.0)
    write("odd_1w2a", [odd, convolution("w", "a", "y")], first)
    scaled = node("MultiThreshold", "x t", "a", out_dtype="FLOAT32", out_scale=0.3, out_bias=0.6)
    flat = [scaled, node("Conv", "a w", "y", kernel_shape=[3, 3])]
    write("scaled_1w2a", flat, first)

    # Channels last, pooled, one list of thresholds for all channels.
    last = [
        node("MultiThreshold", "x t", "a", data_layout="NHWC", out_dtype="UINT2"),
        node("MaxPoolNHWC", "a", "p", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
        node("Transpose", "p", "q", perm=[0, 3, 1, 2]),
        convolution("w", "q", "y"),
    ]
    write("channels_last_2w2a", last, {**two, "t": thresholds(1, 2)}, (1, SIZE, SIZE, INS))

    # Moves: a channel shuffle, a concatenation, and the flattening in front of a dense layer.
    moved = [
        node("MultiThreshold", "x t", "a", out_dtype="UINT2"),
        node("Reshape", "a apart", "r"),
        node("Transpose", "r", "turned", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "turned together", "shuffled"),
        node("Concat", "a shuffled", "both", axis=1),
        node("Conv", "both wide", "sums", kernel_shape=[3, 3]),
        node("MultiThreshold", "sums t2", "b", out_dtype="UINT2"),
        node("Flatten", "b", "row"),
        node("MatMul", "row d", "y"),
    ]
    shapes = {"apart": (1, 4, INS // 4, SIZE, SIZE), "together": (1, INS, SIZE, SIZE)}
    for key, form in shapes.items():
        tensor = numpy_helper.from_array(np.array(form, np.int64))
        moved.insert(0, helper.make_node("Constant", [], [key], value=tensor))
    side = SIZE - 2
    constants = {
        "t": thresholds(INS, 2),
        "wide": whole(1, OUT, 2 * INS, 3, 3),
        "t2": thresholds(OUT, 2) * 64,
        "d": whole(1, OUT * side * side, 10),
    }
    write("moved_1w2a", moved, constants)

    # More bits: 8-bit integers.
    four = node("MultiThreshold", "x t", "a", out_dtype="UINT4")
    constants = {"t": thresholds(INS, 4), "w": whole(4, OUT, INS, 3, 3)}
    write("4w4a", [four, convolution("w", "a", "y")], constants)
    eight = node("MultiThreshold", "x t", "a", out_dtype="INT8", out_bias=-128.0)
    image = {"t": np.arange(-127, 128).reshape(1, -1) / 64, "w": whole(4, OUT, 3, 3, 3)}
    write("image_4w8a", [eight, convolution("w", "a", "y")], image, (1, 3, SIZE, SIZE))


onnx.IR_VERSION = 10  # QONNX computes single nodes by onnxruntime, which lags behind onnx


if __name__ == "__main__":
    main()
