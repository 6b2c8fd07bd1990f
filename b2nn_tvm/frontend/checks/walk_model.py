"""Walk through all of a model: the graphs in its nodes and the functions beside it, without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs in the attributes of one node, not those inside of these."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def nested_graphs(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """The graphs in the attributes of ``nodes``, and all graphs inside of these."""
    waiting = [graph for node in nodes for graph in inner_graphs(node)]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting.extend(inner for node in graph.node for inner in inner_graphs(node))


def all_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The model's graph, and every graph inside of its nodes and of the functions' nodes."""
    yield model.graph
    yield from nested_graphs(model.graph.node)
    for function in model.functions:
        yield from nested_graphs(function.node)


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node of the model, of its functions and of the graphs in both."""
    for function in model.functions:
        yield from function.node
    for graph in all_graphs(model):
        yield from graph.node


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that is written in the model: initializers, and attributes of nodes."""
    for graph in all_graphs(model):
        yield from graph.initializer
    for node in all_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
