"""Binary convolutions read the value in front of activations that drop the sign: behind a ReLU every sign is +1.

    Relu -> {Conv, other}             becomes   x -> Conv, Relu -> other
    Relu -> MaxPool -> {Conv, other}  becomes   x -> MaxPool -> {Conv, Relu -> other}

The second form is exact, as a monotone activation and a maximum commute; it saves a second pooling.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection

import onnx
from onnx import numpy_helper

from b2nn_tvm.frontend.onnx_convolutions import ACTIVATIONS, attributes

_DROPS_SIGN = ("Gelu", "HardSigmoid", "HardSwish", "Mish", "Relu", "Sigmoid", "Softplus", "ThresholdedRelu")
_MONOTONE = ("Clip", "Relu", "Sigmoid")
_PASSING = ("AveragePool", "Concat", "Dropout", "Identity", "MaxPool")


def read_unactivated(graph: onnx.GraphProto, readers: Collection[str]) -> None:
    """Let the Conv nodes of these names read their input without the activations in front that drop the sign.

    Poolings and concatenations between are copied where other nodes read them as well. The nodes that are no longer
    read stay in ``graph``.
    """
    while _hoist_activation(graph, readers):
        pass
    walk = _Walk(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in readers:
            sources = walk.activations(node.input[0])
            if any(walk.drops_sign(source) for source in sources):
                node.input[0] = walk.without_activations(node.input[0], nodes)
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


class _Walk:
    """The way back from a value to the activations that it is made of."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._producers = {output: node for node in graph.node for output in node.output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._copies: dict[str, str] = {}

    def producer(self, value: str) -> onnx.NodeProto | None:
        return self._producers.get(value)

    def activations(self, value: str) -> list[onnx.NodeProto]:
        """The activations that feed ``value``, through poolings and concatenations; empty where one path has none."""
        node = self._producers.get(value)
        if node is None:
            return []
        if self.unactivated(node):
            return [node]
        if node.op_type not in _PASSING:
            return []
        paths = [self.activations(source) for source in _data_inputs(node)]
        return [each for path in paths for each in path] if all(paths) else []

    def passed(self, values: list[str]) -> set[str]:
        """These values, and those that poolings and concatenations pass on to them."""
        found: set[str] = set()
        while values:
            found.add(value := values.pop())
            node = self._producers.get(value)
            values += _data_inputs(node) if node is not None and node.op_type in _PASSING else []
        return found

    def unactivated(self, node: onnx.NodeProto) -> str:
        """The value that the activation ``node`` reads; empty where it is none. Swish is a product with a sigmoid."""
        if node.op_type in ACTIVATIONS:
            return str(node.input[0])
        if node.op_type == "Mul":
            for value, gate in itertools.permutations(map(str, node.input)):
                source = self._producers.get(gate)
                if source is not None and source.op_type in ("Sigmoid", "HardSigmoid") and source.input[0] == value:
                    return value
        return ""

    def drops_sign(self, activation: onnx.NodeProto) -> bool:
        if activation.op_type != "Clip":
            return activation.op_type in (*_DROPS_SIGN, "Mul")
        low = attributes(activation).get("min")
        if len(activation.input) > 1 and activation.input[1] in self._constants:
            low = numpy_helper.to_array(self._constants[activation.input[1]]).item()
        return low is not None and low >= 0

    def without_activations(self, value: str, nodes: list[onnx.NodeProto]) -> str:
        """``value`` without its activations; copies of the nodes between are appended to ``nodes``."""
        node = self._producers[value]
        if source := self.unactivated(node):
            return source
        if value not in self._copies:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name, self._copies[value] = f"{node.name}/unactivated", f"{value}/unactivated"
            for index, source in enumerate(_data_inputs(node)):
                copy.input[index] = self.without_activations(source, nodes)
            del copy.output[1:]
            copy.output[0] = self._copies[value]
            nodes.append(copy)
        return self._copies[value]


def _data_inputs(node: onnx.NodeProto) -> list[str]:
    return list(node.input) if node.op_type == "Concat" else list(node.input[:1])


def _hoist_activation(graph: onnx.GraphProto, readers: Collection[str]) -> bool:
    """Move one monotone activation behind the max pooling that alone reads it; whether there was one."""
    walk = _Walk(graph)
    counts = Counter(name for node in graph.node for name in node.input)
    counts.update(value.name for value in graph.output)
    wanted = walk.passed([node.input[0] for node in graph.node if node.name in readers])
    for place, pool in enumerate(graph.node):
        activation = walk.producer(pool.input[0]) if pool.op_type == "MaxPool" and len(pool.output) == 1 else None
        if activation is None or activation.op_type not in _MONOTONE or pool.output[0] not in wanted:
            continue
        if counts[activation.output[0]] == 1 and walk.drops_sign(activation):
            moved = onnx.NodeProto()
            moved.CopyFrom(activation)
            pooled, pool.input[0] = f"{pool.output[0]}/unactivated", activation.input[0]
            moved.input[0], moved.output[0], pool.output[0] = pooled, pool.output[0], pooled
            graph.node.insert(place + 1, moved)
            graph.node.remove(activation)
            return True
    return False
