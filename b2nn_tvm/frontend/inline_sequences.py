"""Sequences and optional values whose elements are known become plain tensors:

    s = SplitToSequence (x, [1, 3]), y = SequenceAt (s, 1)               ->  _, y = Split (x, [1, 3])
    s = SequenceConstruct (a, b), y = ConcatFromSequence <axis = 1> (s)  ->  y = Concat <axis = 1> (a, b)

torch's older exporter leaves them behind for lists in scripted modules and for ``split`` into a number of parts that it
does not know. Sequences that are outputs of the network, or whose places are computed at run time, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted

_STANDARD = ("", "ai.onnx")
_MOST_PARTS = 4096  # of one split
Nodes = list[onnx.NodeProto]


class InlineSequences:
    """The sequences of one graph that are known so far, and what is in them."""

    def __init__(self) -> None:
        self._elements: dict[str, list[str]] = {}  # the tensors in each sequence; one in an optional value

    def __call__(
        self, graph: onnx.GraphProto, known: dict[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
    ) -> bool:
        """Replace the nodes of the graph that read or make known sequences, in place; returns whether there were any.

        ``known`` are the values of constants, to which new ones are added, and ``shapes`` those of tensors. Raises
        InputError where a place lies outside of its sequence.
        """
        nodes: Nodes = []
        changed = False
        for node in graph.node:
            rule = _RULES.get(node.op_type) if node.domain in _STANDARD and node.output else None
            if node.op_type != "SequenceEmpty" and not node.input:  # damaged, or an empty optional value
                rule = None
            instead = rule(self._elements, _Node(node, known, shapes)) if rule is not None else None
            changed |= instead is not None
            nodes += [node] if instead is None else instead
        if changed:
            copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
            del graph.node[:]
            graph.node.extend(copies)
        return changed


class _Node:
    """A node, and what is known of the values that it reads."""

    def __init__(self, node: onnx.NodeProto, known: dict[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]):
        self.inputs, self.output, self._name = list(node.input), node.output[0], node.name
        self._attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        self._known, self._shapes = known, shapes

    def attribute(self, name: str, default: Any) -> Any:
        return self._attributes.get(name, default)

    def has(self, place: int) -> bool:
        return len(self.inputs) > place and bool(self.inputs[place])

    def value(self, place: int) -> np.ndarray | None:
        return self._known.get(self.inputs[place]) if self.has(place) else None

    def shape(self, place: int) -> tuple[int, ...] | None:
        return self._shapes.get(self.inputs[place]) if self.has(place) else None

    def store(self, name: str, value: np.ndarray) -> str:
        self._known[name] = value
        return name

    def node(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(op, inputs, outputs, name=f"{self._name}/{outputs[0]}", **attributes)

    def place(self, at: int, extent: int) -> int | None:
        """The constant place in a sequence that is the input ``at``, counted from the front; None if unknown."""
        value = self.value(at)
        if value is None or value.size != 1:
            return None
        found = int(value.item())
        if not -extent <= found < extent:
            raise InputError(
                f"node {quoted(self._name)} asks for place {found} in a sequence of {extent}; export the network again"
            )
        return found % extent


def _empty(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    return _new(elements, node, [])


def _construct(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    return _new(elements, node, node.inputs)


def _new(elements: dict[str, list[str]], node: _Node, tensors: list[str]) -> Nodes | None:
    """The node stays, until nothing reads it; its readers find the tensors."""
    elements[node.output] = list(tensors)
    return None


def _insert(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0])
    if tensors is None or not node.has(1):
        return None
    place = len(tensors)
    if node.has(2):
        found = node.place(2, len(tensors) + 1)
        if found is None:
            return None
        value = node.value(2)
        place = found if value is None or value.item() >= 0 else found - 1  # -1 is in front of the last element
    return _new(elements, node, [*tensors[:place], node.inputs[1], *tensors[place:]])


def _erase(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0])
    if not tensors:
        return None
    place = node.place(1, len(tensors)) if node.has(1) else len(tensors) - 1
    return None if place is None else _new(elements, node, [*tensors[:place], *tensors[place + 1 :]])


def _at(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0])
    place = node.place(1, len(tensors)) if tensors is not None else None
    if tensors is None or place is None:
        return None
    return [node.node("Identity", [tensors[place]], [node.output])]


def _length(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0])
    if tensors is None:
        return None
    node.store(node.output, np.array(len(tensors), np.int64))
    return []


def _concat(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0])
    if not tensors:
        return None
    axis = int(node.attribute("axis", 0))
    if not node.attribute("new_axis", 0):
        return [node.node("Concat", tensors, [node.output], axis=axis)]
    place = node.store(f"{node.output}/axis", np.array([axis], np.int64))
    rows = [f"{node.output}/{index}" for index in range(len(tensors))]
    spread = [node.node("Unsqueeze", [tensor, place], [row]) for tensor, row in zip(tensors, rows)]
    return [*spread, node.node("Concat", rows, [node.output], axis=axis)]


def _split(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    shape = node.shape(0)
    if not shape:
        return None
    axis = int(node.attribute("axis", 0))
    if not -len(shape) <= axis < len(shape):
        raise InputError(f"its axis {axis} does not fit the shape {list(shape)} of what {node.output!r} splits")
    sizes = list(_sizes(node, shape[axis]))
    if not sizes or sum(sizes) != shape[axis] or len(sizes) > _MOST_PARTS:
        return None
    squeezed = not node.has(1) and not node.attribute("keepdims", 1)
    parts = [f"{node.output}/{index}" for index in range(len(sizes))]
    tensors = [f"{part}/squeezed" if squeezed else part for part in parts]
    split = node.store(f"{node.output}/sizes", np.array(sizes, np.int64))
    made = [node.node("Split", [node.inputs[0], split], parts, axis=axis)]
    if squeezed:
        place = node.store(f"{node.output}/axis", np.array([axis], np.int64))
        made += [node.node("Squeeze", [part, place], [tensor]) for part, tensor in zip(parts, tensors)]
    return [*made, node.node("SequenceConstruct", tensors, [node.output])]  # its readers find the tensors


def _sizes(node: _Node, extent: int) -> Iterator[int]:
    """The sizes of the parts; none where they are not known."""
    if not node.has(1):
        yield from [1] * extent
        return
    given = node.value(1)
    if given is None or (given <= 0).any():
        return
    if given.ndim:
        yield from map(int, given)
        return
    size = int(given)
    yield from [size] * (extent // size)
    if extent % size:
        yield extent % size


def _same(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    """Identity of a sequence, or a tensor made optional."""
    tensors = elements.get(node.inputs[0])
    return None if tensors is None else _new(elements, node, tensors)


def _optional(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    if not node.has(0):
        return None
    return _new(elements, node, elements.get(node.inputs[0], [node.inputs[0]]))


def _element(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    tensors = elements.get(node.inputs[0], node.inputs[:1] if node.shape(0) is not None else [])
    return [node.node("Identity", tensors, [node.output])] if len(tensors) == 1 else None


def _has_element(elements: dict[str, list[str]], node: _Node) -> Nodes | None:
    if node.has(0) and node.inputs[0] not in elements and node.shape(0) is None:
        return None
    node.store(node.output, np.array(node.has(0)))
    return []


_RULES: dict[str, Callable[[dict[str, list[str]], _Node], Nodes | None]] = {
    "ConcatFromSequence": _concat,
    "Identity": _same,
    "Optional": _optional,
    "OptionalGetElement": _element,
    "OptionalHasElement": _has_element,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
