"""Quantizers that compare with thresholds.

    BipolarQuant(x, scale)                    where(x >= 0, 1, -1) * scale
    MultiThreshold(x, thresholds[C or 1, B])  out_scale * (number of thresholds of the channel <= x) + out_bias
    FakeQuantize(x, il, ih, ol, oh), levels   round((x - il) / (ih - il) * (levels - 1)) / (levels - 1) * (oh - ol) + ol

Sources: qonnx.custom_op.general.{bipolar_quant, multithreshold} of QONNX 1.0; FakeQuantize-1 in OpenVINO's operation
set, whose result is ol where x <= min(il, ih) and oh where x > max(il, ih).
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.reference.quantizers.exact_step import exact_threshold
from b2nn_tvm.reference.quantizers.node_builder import NodeBuilder

_MOST_COMPARISONS = 16  # with more thresholds they are counted along an axis of their own


def bipolar_quant(build: NodeBuilder) -> None:
    """Signs times a scale; a sign is +1 at 0, and -1 for NaN."""
    scale = build.known(1)
    signs = build.put("Where", [build.at_least(build.x(), 0.0), 1.0, -1.0])
    build.finish("Mul", [signs, build.input(1) if scale is None else scale])


def put_step(build: NodeBuilder, threshold: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """``where(x >= threshold, high, low)``; opposite values that differ by channel are a sign and its scale."""
    high_side = build.at_least(build.x(), threshold)
    if (low == -high).all() and (high > 0).all():
        build.finish("Mul", [build.put("Where", [high_side, 1.0, -1.0]), _scalar(high)])
    else:
        build.finish("Where", [high_side, _scalar(high), _scalar(low)])


def _scalar(value: np.ndarray) -> np.ndarray:
    return value.reshape(-1)[0] if value.size and (value == value.flat[0]).all() else value


def multi_threshold(build: NodeBuilder) -> None:
    """One threshold gives two values; more of them give a staircase of floats.

    Raises InputError for thresholds that are not [channels or 1, steps].
    """
    thresholds = build.required(1, "thresholds")
    if thresholds.ndim != 2 or not thresholds.size:
        raise InputError(f"thresholds is [channels or 1, steps], but {list(thresholds.shape)} came")
    scale = build.dtype.type(build.attribute("out_scale", 1.0))
    bias = build.dtype.type(build.attribute("out_bias", 0.0))
    spread = _spread(build, len(thresholds))
    if thresholds.shape[1] == 1:
        zero = build.dtype.type(0)
        put_step(build, thresholds.reshape(spread), scale * zero + bias, scale * build.dtype.type(1) + bias)
        return
    count = _count(build, thresholds, spread)
    build.finish("Add", [build.put("Mul", [count, scale]), bias])


def _count(build: NodeBuilder, thresholds: np.ndarray, spread: tuple[int, ...]) -> str:
    """The number of thresholds reached; a large one is a sum along a new last axis."""
    x = build.x()
    if thresholds.shape[1] <= _MOST_COMPARISONS:
        single = [build.put("Cast", [build.at_least(x, t.reshape(spread))], to=build.element) for t in thresholds.T]
        return reduce(lambda a, b: build.put("Add", [a, b]), single)
    last = len(spread) if len(spread) > 1 else build.rank()
    if last is None:
        raise UnsupportedError("the shape of its input is not known; run shape inference on the file first")
    limits = thresholds.reshape(*spread, -1) if len(spread) > 1 else thresholds.reshape(-1)
    reached = build.put("Cast", [build.at_least(build.along_axis("Unsqueeze", x, last), limits)], to=build.element)
    return build.along_axis("ReduceSum", reached, last, keepdims=0)


def _spread(build: NodeBuilder, channels: int) -> tuple[int, ...]:
    """The shape in which one number for each channel broadcasts to x, which is in the node's data layout."""
    layout, rank = str(build.attribute("data_layout", "")), build.rank()
    if channels == 1:
        return (1,)
    if not layout:
        if rank is None:
            raise UnsupportedError("the shape of its input is not known; run shape inference on the file first")
        layout = {3: "NWC"}.get(rank, "NC" + "." * (rank - 2))  # what QONNX takes for each rank
    axis = layout.index("C") if "C" in layout else 1
    return tuple(channels if position == axis else 1 for position in range(len(layout)))


def fake_quantize(build: NodeBuilder) -> None:
    """Two levels are a step; more levels are rounded, in floats.

    Raises InputError for other inputs or less than two levels, UnsupportedError for an empty range.
    """
    names = ("input_low", "input_high", "output_low", "output_high")
    if len(build.node.input) != 5:
        raise InputError(f"it has the inputs x, {', '.join(names)}, but {len(build.node.input)} came")
    limits = [build.required(position, name) for position, name in enumerate(names, start=1)]
    input_low, input_high, output_low, output_high = np.broadcast_arrays(*limits)
    levels = int(build.attribute("levels", 256))
    if levels < 2:
        raise InputError(f"levels is 2 or more, not {levels}")
    if (input_low > input_high).any():
        raise UnsupportedError("its input_low is above its input_high")
    steps, span = build.dtype.type(levels - 1), input_high - input_low
    if levels == 2:

        def is_high(x: np.ndarray) -> np.ndarray:
            inside = np.rint((x - input_low) / span * steps) > 0
            high: np.ndarray = (x > input_low) & ((x > input_high) | inside)
            return high

        threshold = exact_threshold(is_high, input_low.shape, build.dtype)
        put_step(build, threshold, output_low, output_high)
        return
    if (span == 0).any():
        raise UnsupportedError(f"its input_low equals its input_high with {levels} levels")
    x = build.put("Min", [build.put("Max", [build.x(), input_low]), input_high])
    level = build.put("Mul", [build.put("Div", [build.put("Sub", [x, input_low]), span]), steps])
    share = build.put("Div", [build.round(level), steps])
    build.finish("Add", [build.put("Mul", [share, output_high - output_low]), output_low])
