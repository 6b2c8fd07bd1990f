"""Compute float16 models in float32, as onnxruntime does on CPUs, which have no arithmetic on float16 of their own:

    x: float16 -> Conv -> Relu -> y: float16   becomes   x -> Cast -> Conv -> Relu -> Cast -> y

Weights and thresholds keep the values that they have in the file. Inputs, outputs and what explicit Casts make or read
are float16; other values between operators are not rounded. So a sign is decided by the file's numbers, and binary
layers are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.frontend.checks.walk_model import all_graphs, nested_graphs
from b2nn_tvm.frontend.graph.value_types import value_types

_HALF, _FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT
_TYPE_ATTRIBUTES = ("dtype", "output_dtype")  # of operators that make values of a type out of nothing


def widen_half(model: onnx.ModelProto) -> None:
    """Turn all float16 values of the model's graph, but for its inputs and outputs, into float32, in place."""
    if not _has_half(model):
        return
    graph, types = model.graph, value_types(model)
    for inside in all_graphs(model):
        for tensor in inside.initializer:
            _widen(tensor)
        inside.ClearField("value_info")  # which would still say float16
    for inside in nested_graphs(graph.node):
        for value in _half((*inside.input, *inside.output)):
            value.type.tensor_type.elem_type = _FLOAT
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: f"{value.name}/float" for value in _half(graph.input) if value.name not in constants}
    for value in graph.input:
        if value.name in constants and value.type.tensor_type.elem_type == _HALF:
            value.type.tensor_type.elem_type = _FLOAT
    outputs = _output_names(model)
    nodes = [_cast(name, wide, _FLOAT) for name, wide in inputs.items()]
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in types and types[node.input[0]].elem_type == _HALF:
            half = f"{node.output[0]}/from_half"
            nodes.append(_cast(node.input[0], half, _HALF))
            node.input[0] = half
        nodes += _widened(node)
    _rename(nodes[len(inputs) :], {**inputs, **outputs})
    nodes += [_cast(wide, name, _HALF) for name, wide in outputs.items()]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _has_half(model: onnx.ModelProto) -> bool:
    for graph in all_graphs(model):
        if any(True for _ in _half((*graph.input, *graph.output))) or any(
            tensor.data_type == _HALF for tensor in graph.initializer
        ):
            return True
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.t.data_type == _HALF or (
                    attribute.name in ("to", *_TYPE_ATTRIBUTES) and attribute.i == _HALF
                ):
                    return True
    return False


def _half(values: Iterable[onnx.ValueInfoProto]) -> Iterator[onnx.ValueInfoProto]:
    return (value for value in values if value.type.tensor_type.elem_type == _HALF)


def _output_names(model: onnx.ModelProto) -> dict[str, str]:
    """The names of the float16 outputs and the ones that their float32 values get; an input that is an output stays."""
    given = {value.name for value in model.graph.input} | {tensor.name for tensor in model.graph.initializer}
    return {value.name: f"{value.name}/float" for value in _half(model.graph.output) if value.name not in given}


def _cast(source: str, result: str, element: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=f"{result}/as_{element}", to=element)


def _widen(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == _HALF:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))


def _widened(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """The node with float32 in its attributes; a Cast to float16 rounds its values and gives them as float32."""
    if node.op_type == "Cast" and any(each.name == "to" and each.i == _HALF for each in node.attribute):
        (output,) = node.output
        node.output[0] = f"{output}/half"
        yield node
        yield _cast(f"{output}/half", output, _FLOAT)
        return
    for inner in (node, *(each for graph in nested_graphs([node]) for each in graph.node)):
        for attribute in inner.attribute:
            if attribute.HasField("t"):
                _widen(attribute.t)
            if attribute.name in ("to", *_TYPE_ATTRIBUTES) and attribute.i == _HALF:
                attribute.i = _FLOAT
    yield node


def _rename(nodes: list[onnx.NodeProto], names: dict[str, str]) -> None:
    inner = [each for graph in nested_graphs(nodes) for each in graph.node]
    for node in (*nodes, *inner):
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for graph in nested_graphs(nodes):
        for value in graph.output:
            value.name = names.get(value.name, value.name)
