"""Functions of a file may be of another opset than the file. Their nodes are put in place of their calls all the same,
and each remembers its opset until the graph is converted to a single one.

    functions of opset 11 in a file of opset 21  ->  functions of opset 21, with nodes marked "b2nn.opset": "11"
"""

from __future__ import annotations

import re
from collections.abc import Collection

import onnx
from onnx import helper

from b2nn_tvm.frontend.checks.walk_model import nested_graphs

STANDARD = ("", "ai.onnx")
_KEY = "b2nn.opset"
_NUMBER = re.compile("[0-9]{1,3}")


def opset_of(model: onnx.ModelProto | onnx.FunctionProto) -> int | None:
    """The opset of ONNX's own operators that a model or function imports; None where it imports none."""
    return next((each.version for each in model.opset_import if each.domain in STANDARD), None)


def has_other_opsets(model: onnx.ModelProto) -> bool:
    """Whether a function of the model is of another opset than the model."""
    own = opset_of(model)
    return any(opset_of(function) not in (None, own) for function in model.functions)


def mark_opsets(model: onnx.ModelProto, kept: Collection[tuple[str, str]] = ()) -> None:
    """Give the functions of the model its opset, in place; their nodes keep their own one as a mark, but for those of
    the functions ``kept``, which mean the same in each opset that knows their operators.

    A model that imports no operators of ONNX gets the newest opset of its functions.
    """
    opset = opset_of(model)
    if opset is None:
        opset = max((found for found in map(opset_of, model.functions) if found is not None), default=None)
        if opset is None:
            return
        model.opset_import.append(helper.make_opsetid("", opset))
    for function in model.functions:
        own = opset_of(function)
        if own in (None, opset):
            continue
        for each in function.opset_import:
            if each.domain in STANDARD:
                each.version = opset
        if (function.domain, function.name) in kept:
            continue
        for node in (*function.node, *(node for graph in nested_graphs(function.node) for node in graph.node)):
            node.metadata_props.add(key=_KEY, value=str(own))


def own_opset(node: onnx.NodeProto, opset: int) -> int:
    """The opset of a node: its mark, else that of the model."""
    marks = (each.value for each in node.metadata_props if each.key == _KEY and _NUMBER.fullmatch(each.value))
    return next(map(int, marks), opset)


def forget_opset(node: onnx.NodeProto) -> None:
    """Take the mark from a node."""
    for index in reversed(range(len(node.metadata_props))):
        if node.metadata_props[index].key == _KEY:
            del node.metadata_props[index]
