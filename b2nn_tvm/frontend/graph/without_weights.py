"""A model without its large constants, for what looks at the graph alone: copying and parsing those takes most time."""

from __future__ import annotations

import math

import onnx
from onnx import helper

_SMALL = 2**10  # elements; the constants that shapes are computed from have fewer


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in which initializers of more than 1024 elements are inputs of their types and shapes.

    Shape inference finds the same in it. The functions of the model are part of the copy, too.
    """
    small = onnx.ModelProto()
    small.ir_version = max(model.ir_version, 4)  # before, all initializers had to be inputs as well
    small.opset_import.extend(model.opset_import)
    small.functions.extend(model.functions)
    graph = small.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    given = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        elif tensor.name not in given:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return small
