"""Convert a model of an old opset to opset 18, in which all later steps read it:

    Slice <starts = [1], ends = [3]> (x)  ->  Slice (x, starts, ends)

onnx.version_converter is not used. It gives another meaning to some operators of vision networks: Resize of opset 10
gets the pixel centres of opset 11, the broadcast of opset 6 along an axis starts at the first one, and bounds of Clip
and Pad are float32 whatever they bound. It also drops the metadata of nodes, in which exporters keep the names of
modules. Here only the nodes whose definition has changed are touched, and nodes of other domains never.

Nodes that came from functions of other opsets are converted from their own one; a node of a newer opset than 18 makes
its opset that of the model.
"""

from __future__ import annotations

import onnx
from onnx import helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_graph import node_label
from b2nn_tvm.frontend.checks.walk_model import all_graphs
from b2nn_tvm.frontend.functions.own_opsets import STANDARD, forget_opset, opset_of, own_opset
from b2nn_tvm.frontend.graph.node_context import NodeContext
from b2nn_tvm.frontend.graph.value_types import value_types
from b2nn_tvm.frontend.graph.without_weights import without_weights
from b2nn_tvm.frontend.versions.adapt_operators import OPERATOR_ADAPTERS
from b2nn_tvm.frontend.versions.attributes_to_inputs import INPUT_ADAPTERS
from b2nn_tvm.frontend.versions.experimental_operators import EXPERIMENTAL_ADAPTERS
from b2nn_tvm.frontend.versions.same_form import keeps_its_form

OPSET = 18
# Each changes nodes of the opsets below its number; a node may meet several, the oldest first.
# What was on trial comes last: it becomes operators as they are in the newest opset.
_ADAPTERS = (*OPERATOR_ADAPTERS, *INPUT_ADAPTERS, *EXPERIMENTAL_ADAPTERS)
_CHANGED = frozenset(op for _, ops, _ in _ADAPTERS for op in ops)
_FIRST_WITHOUT_CONSUMED_INPUTS = 6
_FIRST_THAT_BROADCASTS = 7
_FIRST_IR, _LATER_IR = 8, 10  # versions of the format that have opset 18, and later ones
_ARITHMETIC = frozenset(("Add", "Div", "Mul", "PRelu", "Pow", "Sub"))  # of the type and shape of their first input


def convert_opset(model: onnx.ModelProto) -> None:
    """Convert a model of an opset below 18, or with nodes of several opsets, in place; others are left alone.

    The functions of the file are not touched: they are inlined before. Raises InputError or UnsupportedError, naming
    the node, where an operator of the file's opset has no form in a later one.
    """
    opset = opset_of(model) or 1  # as the standard has it where the file does not say
    opsets = {opset}.union(own_opset(node, opset) for graph in all_graphs(model) for node in graph.node)
    if opset >= OPSET and len(opsets) == 1:
        return
    target = max(OPSET, *opsets)
    needed = any(node.op_type in _CHANGED for graph in all_graphs(model) for node in graph.node)
    types = _types(model, opset) if needed else {}
    taken = {name for graph in all_graphs(model) for node in graph.node for name in (*node.input, *node.output)}
    taken |= {each.name for graph in all_graphs(model) for each in (*graph.initializer, *graph.input)}
    for graph in all_graphs(model):
        nodes: list[onnx.NodeProto] = []
        for index, node in enumerate(graph.node):
            own = own_opset(node, opset)
            forget_opset(node)
            if node.domain not in STANDARD:
                nodes.append(node)
                continue
            context = NodeContext(node, types, taken)
            try:
                _adapt(context, own)
                _lift(context, max(own, OPSET), target)
            except (InputError, UnsupportedError) as error:
                raise type(error)(f"{node_label(node, index)} of opset {own}: {error}") from None
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # inputs and attributes of no sense
                raise InputError(f"{node_label(node, index)} cannot be converted from opset {own}: {error}") from None
            nodes += [*context.before, node, *context.after]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    kept = [each for each in model.opset_import if each.domain not in STANDARD]
    kept = [helper.make_opsetid(each.domain, each.version) for each in kept]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", target), *kept])
    model.ir_version = max(model.ir_version, _FIRST_IR if target == OPSET else _LATER_IR)


def _types(model: onnx.ModelProto, opset: int) -> dict[str, onnx.TypeProto.Tensor]:
    """The types of the values.

    Before opset 7 onnx knows none behind batch norms and arithmetic, which broadcast in a way of their own. There they
    are those of the same network in a later opset, with Identity in place of the arithmetic.
    """
    found = value_types(model)
    if opset >= _FIRST_THAT_BROADCASTS or not any(map(_is_arithmetic, model.graph.node)):
        return found
    like = without_weights(model)
    for node in filter(_is_arithmetic, like.graph.node):
        node.op_type = "Identity"
        del node.input[1:], node.attribute[:]
    try:
        convert_opset(like)
    except (InputError, UnsupportedError):  # which the conversion of the model itself will raise
        return found
    return {**value_types(like), **found}


def _is_arithmetic(node: onnx.NodeProto) -> bool:
    return node.op_type in _ARITHMETIC and node.domain in STANDARD


def _adapt(context: NodeContext, opset: int) -> None:
    if opset < _FIRST_WITHOUT_CONSUMED_INPUTS:
        context.take("consumed_inputs")
    for below, ops, adapt in _ADAPTERS:
        if opset < below and context.node.op_type in ops:
            adapt(context)


def _lift(context: NodeContext, opset: int, target: int) -> None:
    """Raise UnsupportedError where the nodes of opset 18 or newer mean another thing in opset ``target``."""
    for node in (*context.before, context.node, *context.after):
        if opset < target and onnx.defs.has(node.op_type) and not keeps_its_form(node.op_type, opset, target):
            raise UnsupportedError(
                f"it stands beside nodes of opset {target}, in which {node.op_type} has another form; export the "
                "network and its functions with one opset"
            )
