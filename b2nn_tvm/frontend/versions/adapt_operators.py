"""Operators that had another meaning, or another name, in old opsets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.graph.node_context import NodeContext


def _broadcast(context: NodeContext) -> None:
    """``Add <axis = 1, broadcast = 1> (a[N, C, H, W], b[C])``: b gets the shape [C, 1, 1], as numpy broadcasts it."""
    axis, given = context.take("axis"), context.take("broadcast", 0)
    if not given or axis is None:
        return
    a, b = context.node.input[:2]
    ranks = context.rank(a), context.rank(b)
    if ranks[0] is None or ranks[1] is None:
        raise UnsupportedError("the shapes of what it broadcasts are not known; export the network with a newer opset")
    behind = ranks[0] - axis % ranks[0] - ranks[1]
    if behind < 0:
        raise InputError(f"its axis {axis} does not fit inputs of {ranks[0]} and {ranks[1]} dimensions")
    if behind:
        axes = context.constant("axes", np.arange(ranks[1], ranks[1] + behind))
        context.set_input(1, context.put_before("Unsqueeze", [b, axes], "broadcast"))


def _gemm(context: NodeContext) -> None:
    context.take("broadcast")


def _slope(context: NodeContext) -> None:
    """The slope of PRelu was one for each channel, [C]; it broadcasts like other inputs now."""
    x, slope = context.node.input[:2]
    ranks = context.rank(x), context.rank(slope)
    if ranks[1] == 1 and ranks[0] is not None and ranks[0] > 2:
        axes = context.constant("axes", np.arange(1, ranks[0] - 1))
        context.set_input(1, context.put_before("Unsqueeze", [slope, axes], "slope"))


def _cast(context: NodeContext) -> None:
    word = context.get("to")
    if isinstance(word, bytes):
        if word.decode(errors="replace") not in dict(TensorProto.DataType.items()):
            raise InputError(f"it casts to the unknown type {word!r}")
        context.set("to", TensorProto.DataType.Value(word.decode()))


def _concat(context: NodeContext) -> None:
    if context.get("axis") is None:
        context.set("axis", 1)


def _tile(context: NodeContext) -> None:
    """``Tile (x, tiles, axis)`` of opset 1 is ``Tile (x, repeats)`` with tiles at the place of the axis, else 1."""
    if len(context.node.input) < 3:
        return
    x, tiles, axis = context.node.input
    rank = context.rank(x)
    if rank is None:
        raise UnsupportedError("the shape of what it repeats is not known; export the network with a newer opset")
    tiles, axis = (context.put_before("Cast", [each], "whole", to=TensorProto.INT64) for each in (tiles, axis))
    meant = context.put_before("Equal", [context.constant("axes", np.arange(rank)), axis], "meant")
    repeats = context.put_before("Where", [meant, tiles, context.constant("once", np.int64(1))], "repeats")
    del context.node.input[:]
    context.node.input.extend([x, repeats])


def _split(context: NodeContext) -> None:
    """The sizes of Split were floats in opset 1, where they were an input."""
    if len(context.node.input) > 1:
        sizes = context.put_before("Cast", [context.node.input[1]], "sizes", to=TensorProto.INT64)
        context.set_input(1, sizes)


def _batch_norm(context: NodeContext) -> None:
    """With ``spatial`` = 0 it had statistics for each pixel: [C, H, W]."""
    context.take("is_test")
    spatial = context.take("spatial", 1)
    if len(context.node.output) > 3:  # the statistics of training, which later opsets do not have
        raise UnsupportedError("batch norm in training mode; export the model in inference mode (model.eval())")
    if spatial:
        return
    if len(context.node.input) < 5:
        raise InputError("it lacks its statistics")
    x, scale, shift, mean, variance = context.node.input
    epsilon = context.constant("epsilon", np.asarray(context.get("epsilon", 1e-5), context.dtype(variance)))
    deviation = context.put_before("Sqrt", [context.put_before("Add", [variance, epsilon], "variance")], "deviation")
    centred = context.put_before("Sub", [x, mean], "centred")
    scaled = context.put_before("Mul", [context.put_before("Div", [centred, deviation], "normal"), scale], "scaled")
    context.become("Add", [scaled, shift])
    del context.node.output[1:]


def _upsample(context: NodeContext) -> None:
    """Upsample is a Resize whose pixel i reads at i / scale, rounded down."""
    height, width = context.take("height_scale"), context.take("width_scale")
    scales = context.take("scales", None if height is None or width is None else [1.0, 1.0, height, width])
    if scales is not None:
        context.set_input(1, context.constant("scales", np.array(scales, np.float32)))
    if context.get("mode") == b"bilinear":  # as opset 1 called it
        context.set("mode", "linear")
    context.node.op_type = "Resize"  # of opset 10, whose form comes next


def _resize(context: NodeContext) -> None:
    """Resize (x, scales) of opset 10 had one way to place pixels; the input roi came between later."""
    if len(context.node.input) < 2:
        raise InputError("it has no scales")
    x, scales = context.node.input[:2]
    del context.node.input[:]
    context.node.input.extend([x, "", scales])
    context.set("coordinate_transformation_mode", "asymmetric")
    if context.get("mode", b"nearest") == b"nearest":
        context.set("nearest_mode", "floor")


def _softmax(context: NodeContext) -> None:
    """Softmax went over all axes from ``axis`` on, which was 1 by default; it goes over one axis now."""
    x, y = context.node.input[0], context.node.output[0]
    axis, rank = context.take("axis", 1), context.rank(x)
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        context.set("axis", -1)
        return
    context.set_input(0, context.put_before("Flatten", [x], "flat", axis=axis))
    context.set("axis", -1)
    shape = context.put_before("Shape", [x], "shape")
    context.node.output[0] = context.new_name("flat_result")
    context.put_after("Reshape", [context.node.output[0], shape], y)


def _scatter(context: NodeContext) -> None:
    context.node.op_type = "ScatterElements"


def _whole_power(context: NodeContext) -> None:
    power = context.get("p")
    if isinstance(power, float):
        if power != int(power):
            raise UnsupportedError(f"its power {power:g} is no whole number; later opsets have only these")
        context.set("p", int(power))


def _roi_align(context: NodeContext) -> None:
    context.set("coordinate_transformation_mode", "output_half_pixel")


# (changes nodes of opsets below, operators, what to do)
OPERATOR_ADAPTERS: tuple[tuple[int, tuple[str, ...], Callable[[NodeContext], None]], ...] = (
    (2, ("GlobalLpPool", "LpPool"), _whole_power),
    (2, ("Split",), _split),
    (4, ("Concat",), _concat),
    (6, ("Cast",), _cast),
    (6, ("Tile",), _tile),
    (7, ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"), _broadcast),
    (7, ("Gemm",), _gemm),
    (7, ("PRelu",), _slope),
    (10, ("Upsample",), _upsample),
    (11, ("Resize",), _resize),
    (11, ("Scatter",), _scatter),
    (13, ("Hardmax", "LogSoftmax", "Softmax"), _softmax),
    (14, ("BatchNormalization",), _batch_norm),
    (16, ("RoiAlign",), _roi_align),
)
