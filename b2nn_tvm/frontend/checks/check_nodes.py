"""Check the nodes of ONNX's own operators against their definitions: the numbers of inputs and outputs, the attributes.

Operators that onnx does not define at the file's opset, or that are of another domain, are left to the importer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx
from onnx import defs

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_graph import node_label
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.checks.walk_model import all_graphs
from b2nn_tvm.words.number_of import number_of

_STANDARD = ("", "ai.onnx")
_NEWEST_OPSET = 999  # ONNX has a new one each half a year
_ATTRIBUTE_TYPES = {number: word for word, number in onnx.AttributeProto.AttributeType.items()}
_COUNTS = ("blocksize", "dilations", "group", "kernel_shape", "strides")  # of 1 or more, wherever they are defined
_FLAGS = frozenset(
    (
        *("allowzero", "ceil_mode", "count_include_pad", "keepdims", "noop_with_empty_axes", "select_last_index"),
        *("storage_order", "transA", "transB"),
    )
)
_DO = "the file is damaged, or for another opset: export it again"


def check_nodes(
    model: onnx.ModelProto, own_opset: Callable[[onnx.NodeProto, int], int] = lambda node, opset: opset
) -> None:
    """Raise InputError, naming the node, where one does not fit the definition of its operator, or where the file has
    an opset that cannot be. ``own_opset`` is the opset of a node in a model of the opset given.
    """
    opsets = dict.fromkeys(each.version for each in model.opset_import if each.domain in _STANDARD)
    if len(opsets) > 1:
        raise InputError(f"the file has several opsets of ONNX's own operators, {', '.join(map(str, opsets))}; {_DO}")
    opset = next(iter(opsets), 0)
    if not 0 <= opset <= _NEWEST_OPSET:
        raise InputError(f"the file has opset {opset}, which does not exist; {_DO}")
    functions = {(function.domain, function.name) for function in model.functions}
    known: dict[tuple[str, int], defs.OpSchema | None] = {}
    for graph in all_graphs(model):
        for index, node in enumerate(graph.node):
            if node.domain not in _STANDARD or (node.domain, node.op_type) in functions:
                continue
            key = node.op_type, own_opset(node, opset)
            if key not in known:
                known[key] = _definition(*key)
            schema = known[key]
            if schema is not None:
                _check_node(node, index, schema)


def _definition(op_type: str, opset: int) -> defs.OpSchema | None:
    try:
        return defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None


def _check_node(node: onnx.NodeProto, index: int, schema: defs.OpSchema) -> None:
    for what, names, least, most in (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            bounds = str(least) if least == most else f"{least} or more" if most > 1000 else f"{least} to {most}"
            raise InputError(f"{node_label(node, index)} has {len(names)} {what}, but the operator has {bounds}; {_DO}")
    given: dict[str, onnx.AttributeProto] = {}
    for attribute in node.attribute:
        if attribute.name in given:
            raise InputError(f"{node_label(node, index)} has its attribute {quoted(attribute.name)} twice; {_DO}")
        given[attribute.name] = attribute
    _check_attributes(node_label(node, index), given, schema.attributes)
    parts = given.get("num_outputs")
    if node.op_type == "Split" and parts is not None and parts.i != len(node.output):  # onnx would make so many shapes
        came = number_of(len(node.output), "output")
        raise InputError(f"{node_label(node, index)} has {came}, but num_outputs={parts.i}; {_DO}")


def _check_attributes(
    label: str, given: Mapping[str, onnx.AttributeProto], defined: Mapping[str, defs.OpSchema.Attribute]
) -> None:
    for name, definition in defined.items():
        attribute = given.get(name)
        if attribute is None or attribute.ref_attr_name:
            if definition.required and attribute is None:
                raise InputError(f"{label} lacks its attribute {name}; {_DO}")
            continue
        wanted = str(definition.type).rpartition(".")[2]
        found = _ATTRIBUTE_TYPES.get(attribute.type, str(attribute.type))
        if found not in (wanted, "UNDEFINED"):  # old files leave the type out
            raise InputError(f"{label} has an attribute {name} of type {found}, not {wanted}; {_DO}")
        counts = [*attribute.ints, *([attribute.i] if wanted == "INT" else [])] if name in _COUNTS else []
        if min(counts, default=1) < 1:
            raise InputError(f"{label} has {name} of {min(counts)}, but it has to be 1 or more; {_DO}")
        if name in _FLAGS and wanted == "INT" and attribute.i not in (0, 1):
            raise InputError(f"{label} has {name} of {attribute.i}, but it has to be 0 or 1; {_DO}")
