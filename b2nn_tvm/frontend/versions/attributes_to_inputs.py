"""Operators whose attributes became inputs: axes of Squeeze and reductions, bounds of Slice, Pad and Clip, ..."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.graph.node_context import NodeContext

Adapter = Callable[[NodeContext], None]


def _integers(attribute: str, position: int) -> Adapter:
    """The adapter that turns an attribute of one or more integers into the input at ``position``."""

    def adapt(context: NodeContext) -> None:
        value = context.take(attribute)
        if value is not None:
            context.set_input(position, context.constant(attribute, np.array(value, np.int64).reshape(-1)))

    return adapt


def _slice(context: NodeContext) -> None:
    starts, ends, axes = (context.take(name) for name in ("starts", "ends", "axes"))
    if starts is None or ends is None:
        raise InputError("it has no bounds")
    for position, (name, value) in enumerate((("starts", starts), ("ends", ends), ("axes", axes)), start=1):
        if value is not None:
            context.set_input(position, context.constant(name, np.array(value, np.int64)))


def _pad(context: NodeContext) -> None:
    pads = context.take("pads", context.take("paddings"))  # "paddings" in opset 1
    value = context.take("value", 0.0)
    if pads is None:
        raise InputError("it has no widths")
    context.set_input(1, context.constant("pads", np.array(pads, np.int64)))
    if context.get("mode", b"constant") == b"constant":
        context.set_input(2, context.constant("value", np.array(value, context.dtype(context.node.input[0]))))


def _clip(context: NodeContext) -> None:
    for position, name in enumerate(("min", "max"), start=1):
        bound = context.take(name)
        if bound is not None:
            dtype = context.dtype(context.node.input[0])
            limit = float(np.finfo(dtype).max) if dtype.kind == "f" else np.inf
            context.set_input(position, context.constant(name, np.array(np.clip(bound, -limit, limit), dtype)))


def _dropout(context: NodeContext) -> None:
    context.take("is_test")
    ratio = context.take("ratio")
    if ratio is not None:
        context.set_input(1, context.constant("ratio", np.array(ratio, context.dtype(context.node.input[0]))))


def _split(context: NodeContext) -> None:
    if context.get("num_outputs") is None and len(context.node.input) < 2:
        context.set("num_outputs", len(context.node.output))


# (changes nodes of opsets below, operators, what to do)
INPUT_ADAPTERS: tuple[tuple[int, tuple[str, ...], Adapter], ...] = (
    (5, ("Reshape",), _integers("shape", 1)),
    (10, ("Slice",), _slice),
    (10, ("TopK",), _integers("k", 1)),
    (11, ("Clip",), _clip),
    (11, ("Pad",), _pad),
    (12, ("Dropout",), _dropout),
    (13, ("ReduceSum", "Squeeze", "Unsqueeze"), _integers("axes", 1)),
    (13, ("Split",), _integers("split", 1)),
    (
        18,
        (
            *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
            *("ReduceProd", "ReduceSumSquare"),
        ),
        _integers("axes", 1),
    ),
    (18, ("Split",), _split),
)
