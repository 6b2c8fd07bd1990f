"""On which side of its thresholds a library computed, seen in further outputs of the same network.

    p = GreaterOrEqual (x, t)    s = Where (p, one, minus)    y = Conv (s, w)    ->    outputs: y, s

A library gives its outputs alone. Where rounding decides so many values that its sides cannot be found by trial, the
network is compiled once more with values as outputs that show them. Each is the last one that stands for a comparison
or rounding alone: the compiler takes a sign for one step, whose parts would be computed beside it otherwise.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import onnx

_LOGIC = frozenset(("And", "Or", "Xor", "Not"))  # between comparisons of one tensor
_STEPS = frozenset(("Cast", "Identity", "Neg", "Add", "Sub", "Mul", "Div", "DequantizeLinear"))
_LAST = "Where"


def shown_by(graph: onnx.GraphProto, deciding: Container[str]) -> dict[str, str]:
    """The value that shows the result of each node with one of the operators ``deciding``, by the node's output."""
    chains = _Chains(graph)
    return {
        node.output[0]: node.output[0] if node.op_type == "Sign" else chains.last(node.output[0])
        for node in graph.node
        if node.op_type in deciding
    }


def showing(model: onnx.ModelProto, sides: Iterable[str]) -> onnx.ModelProto:
    """A copy of ``model`` in which those of the values ``sides`` that it computes are outputs, too."""
    computed = {value.name for value in model.graph.input} - {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if not computed.isdisjoint(node.input):
            computed.update(node.output)
    return with_outputs(model, [name for name in sides if name in computed])


def with_outputs(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy of ``model`` in which these values are outputs, too."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    outputs = {output.name for output in model.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in outputs)
    return copy


class _Chains:
    """The elementwise operators behind each value of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._outputs = {output.name for output in graph.output}
        self._constants = {tensor.name for tensor in graph.initializer}
        self._constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self._readers.setdefault(name, []).append(node)

    def last(self, name: str) -> str:
        """The last value that is made of ``name`` and constants, as long as nothing else reads what is on the way."""
        while name not in self._outputs and len(readers := self._readers.get(name, [])) == 1:
            (node,) = readers
            others = {each for each in node.input if each and each != name}
            if node.op_type == _LAST and node.input[0] == name:
                return str(node.output[0])
            if node.op_type not in _LOGIC and not (node.op_type in _STEPS and others <= self._constants):
                return name
            name = node.output[0]
        return name
