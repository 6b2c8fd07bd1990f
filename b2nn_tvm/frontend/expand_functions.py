"""Nodes of operators that ONNX defines by a function of other operators -> the nodes of that function.

The definitions come from the onnx package. So an operator without a converter is compiled as it is defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import FunctionProto, inliner, shape_inference

from b2nn_tvm.frontend.checks.check_operators import NAMESAKES
from b2nn_tvm.frontend.read_onnx import name_nodes
from b2nn_tvm.frontend.versions.same_form import keeps_its_form

DOMAIN = "b2nn.expanded"
_ROUNDS = 4  # functions of functions of functions


def expand_functions(model: onnx.ModelProto, known: frozenset[str]) -> onnx.ModelProto:
    """The model with the definitions of the nodes whose operators are not ``known``, where ONNX has one. An operator
    that is known from another domain, such as onnxruntime's Attention, is not.

    Other unknown nodes stay. The model given is left as it is.
    """
    for _ in range(_ROUNDS):
        changed = _marked(model, known)
        if changed is None:
            return model
        own = [(function.domain, function.name) for function in changed.functions if function.domain == DOMAIN]
        model = inliner.inline_selected_functions(changed, own)
        name_nodes(model.graph)
    return model


def _marked(model: onnx.ModelProto, known: frozenset[str]) -> onnx.ModelProto | None:
    """The model with each such node as a call of a function of its own; None where there is none."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    places = [
        place
        for place, node in enumerate(model.graph.node)
        if (node.op_type not in known or node.op_type in NAMESAKES)
        and node.domain in ("", "ai.onnx")
        and _has_function(node, opset)
    ]
    if not places:
        return None
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    types = _types(model)
    for place in places:
        node = changed.graph.node[place]
        _write_defaults(node, opset)
        function = _function(node, opset, types)
        if function is None:
            continue
        function.domain, function.name = DOMAIN, f"{node.op_type}_{place}"
        node.domain, node.op_type = function.domain, function.name
        changed.functions.append(function)
    if not changed.functions or len(changed.functions) == len(model.functions):
        return None
    changed.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    return changed


def _has_function(node: onnx.NodeProto, opset: int) -> bool:
    if not onnx.defs.has(node.op_type):
        return False
    try:
        schema: Any = onnx.defs.get_schema(node.op_type, opset, "")  # onnx's stubs lack its functions
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def _write_defaults(node: onnx.NodeProto, opset: int) -> None:
    """Give the node the attributes that it leaves out, to which its definition may refer."""
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in given and attribute.default_value.name:
            node.attribute.append(attribute.default_value)


def _types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError):  # the importer will find the fault, and name the node
        graph = model.graph
    found = {value.name: value.type for value in (*graph.input, *graph.value_info, *graph.output)}
    for tensor in graph.initializer:
        found[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    return found


def _function(node: onnx.NodeProto, opset: int, types: dict[str, onnx.TypeProto]) -> FunctionProto | None:
    """The definition of a node; None where it depends on types that are not known, or is for another opset."""
    schema: Any = onnx.defs.get_schema(node.op_type, opset, "")  # onnx's stubs lack its functions
    function = FunctionProto()
    if version := _newest(schema.function_opset_versions, opset):
        function.ParseFromString(schema.get_function_with_opset_version(version))
    elif version := _newest(schema.context_dependent_function_opset_versions, opset):
        inputs = [types.get(name, onnx.TypeProto()) for name in node.input]
        if any(name and not kind.WhichOneof("value") for name, kind in zip(node.input, inputs, strict=True)):
            return None
        body = schema.get_context_dependent_function_with_opset_version(
            version, node.SerializeToString(), [kind.SerializeToString() for kind in inputs]
        )
        function.ParseFromString(body)
    if not function.node or not all(keeps_its_form(inner.op_type, version, opset) for inner in function.node):
        return None
    del function.opset_import[:]
    function.opset_import.append(onnx.helper.make_opsetid("", opset))
    return function


def _newest(versions: Sequence[int], opset: int) -> int:
    return max((version for version in versions if version <= opset), default=0)
