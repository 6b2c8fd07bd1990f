"""What an integer input of a network means, by what reads it: indices within their range, divisors, pixels.

index -> Cast -> Unsqueeze -> Gather (table [10, 3], axis 0)    -10 ... 9
image (uint8) -> Cast -> Conv                                     0 ... 255
count -> Div (x, count)                                          any integer but 0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

_MOVES = frozenset(
    (*("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Expand", "Tile"), "Split")
)
_EXACT_READERS = frozenset(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Where", "Max", "Min"))
_SMALL = 9  # values of integers of which nothing is known: sums and products of them stay small


@dataclass(frozen=True)
class Use:
    """The values that an input may take: ``low`` to ``high``, and not 0 where ``nonzero``.

    ``known`` says that its readers give the range; else it is a guess, which a network may refuse.
    """

    low: int
    high: int
    nonzero: bool = False
    known: bool = True


def input_uses(model: onnx.ModelProto) -> dict[str, Use]:
    """The use of each input of integers; functions of the file must have been inlined."""
    shapes, constants = _shapes(model), _constants(model.graph)
    readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            readers.setdefault(name, []).append((node, place))
    uses = {}
    for value in model.graph.input:
        dtype = _integers(value.type.tensor_type.elem_type)
        if dtype is not None and value.name not in constants:
            reads = list(_reads(value.name, readers))
            uses[value.name] = _use(reads, np.iinfo(dtype), shapes, constants)
    return uses


def _use(
    reads: list[tuple[onnx.NodeProto, int]],
    limits: np.iinfo,
    shapes: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, np.ndarray],
) -> Use:
    sizes = [size for node, place in reads if (size := _indexed(node, place, shapes, constants)) is not None]
    nonzero = any(node.op_type in ("Div", "Mod") and place == 1 for node, place in reads)
    if sizes:
        size = max(1, min(sizes))
        return Use(max(int(limits.min), -size), min(int(limits.max), size - 1), nonzero)
    if limits.bits == 8 or (reads and all(_takes_any(node) for node, _ in reads)):
        return Use(int(limits.min), int(limits.max), nonzero, known=limits.bits == 8)
    return Use(max(int(limits.min), -_SMALL), _SMALL, nonzero, known=False)


def _takes_any(node: onnx.NodeProto) -> bool:
    """Whether the node reads integers of any size without an overflow."""
    return node.op_type in _EXACT_READERS or (
        node.op_type == "Cast" and _integers(_attribute(node, "to", onnx.TensorProto.FLOAT)) is None
    )


def _indexed(
    node: onnx.NodeProto, place: int, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, np.ndarray]
) -> int | None:
    """The size of the axis that this input of the node counts along; None where it holds no indices."""
    op = node.op_type
    if op == "OneHot" and place == 0 and node.input[1] in constants:
        return int(constants[node.input[1]].flat[0])
    if place != 1 or op not in ("Gather", "GatherElements", "GatherND", "ScatterElements", "Scatter", "ScatterND"):
        return None
    shape = shapes.get(node.input[0])
    if not shape:
        return 1  # 0 is an index of every axis
    if op in ("GatherND", "ScatterND"):
        first = _attribute(node, "batch_dims", 0)
        count = (shapes.get(node.input[1]) or (len(shape),))[-1]
        return min(shape[first : first + count], default=1)
    return shape[_attribute(node, "axis", 0)]


def _reads(name: str, readers: Mapping[str, list[tuple[onnx.NodeProto, int]]]) -> Iterator[tuple[onnx.NodeProto, int]]:
    """Every node that reads the value as it is, and at which place, behind nodes that only move it."""
    waiting, seen = [name], {name}
    while waiting:
        for node, place in readers.get(waiting.pop(), ()):
            moves = node.op_type in _MOVES or (node.op_type == "Cast" and not _takes_any(node))
            if place or not moves:
                yield node, place
                continue
            new = set(node.output) - seen
            seen |= new
            waiting += sorted(new)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, ValueError):  # then no index but 0 is known to be one
        graph = model.graph
    found = {}
    for value in (*graph.input, *graph.value_info):
        if value.type.tensor_type.HasField("shape"):
            found[value.name] = tuple(max(1, dim.dim_value) for dim in value.type.tensor_type.shape.dim)
    return found | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    inside = (tensor for tensor in graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in inside}  # weights in a file are no bounds
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif attribute.name == "value_int":
                found[node.output[0]] = np.asarray(attribute.i)
    return found


def _integers(element: int) -> np.dtype | None:
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
    except KeyError:
        return None
    return dtype if dtype.kind in "iu" else None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
