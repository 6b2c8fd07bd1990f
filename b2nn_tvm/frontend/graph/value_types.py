"""The element types and shapes of all values of a model, by shape inference over the graph without its weights."""

from __future__ import annotations

import onnx
from onnx import helper, shape_inference

from b2nn_tvm.frontend.graph.without_weights import without_weights


def value_types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    """The types of the values by their names, as far as they are known; values that are no tensors have no type.

    The values of graphs inside of nodes are not among them.
    """
    found = {value.name: value.type.tensor_type for value in inferred_values(model)}
    for tensor in model.graph.initializer:
        found[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims)).tensor_type
    return found


def inferred_values(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs, the values between and the outputs of the model's graph, with the types that inference finds."""
    small = without_weights(model)
    try:
        graph = shape_inference.infer_shapes(small).graph
    except (shape_inference.InferenceError, ValueError):  # the importer will find the fault, and name the node
        graph = small.graph
    return [*graph.input, *graph.value_info, *graph.output]
