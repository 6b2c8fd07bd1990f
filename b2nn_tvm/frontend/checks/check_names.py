"""Check the names in an ONNX file: all are text, and those that a library shows to its callers stand on one line."""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Iterator

import onnx

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.walk_model import all_graphs, all_nodes

LONGEST_NAME = 4096

_shortener = reprlib.Repr()
_shortener.maxstring = _shortener.maxother = 80


def quoted(name: str | bytes) -> str:
    """A name of a file as an error shows it: in quotes, on one line, and not too long."""
    return _shortener.repr(name)


def printable(name: str) -> str:
    """The name with "_" for each control character, such as the end of a line."""
    return "".join("_" if unicodedata.category(character) == "Cc" else character for character in name)


def check_names(model: onnx.ModelProto) -> None:
    """Raise InputError where a name is no text or too long, or where an input or output has a control character.

    Path separators are allowed: no file is named after a name in the model.
    """
    for name in _names(model):
        if not isinstance(name, str):  # protobuf gives the bytes where they are no UTF-8
            raise InputError(f"the name {quoted(name)} is no text in UTF-8; the file is damaged: export it again")
        if len(name) > LONGEST_NAME:
            raise InputError(f"the name {quoted(name)} has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    for value in (*model.graph.input, *model.graph.output):
        if printable(value.name) != value.name:
            raise InputError(
                f"the name {quoted(value.name)} of an input or output has the end of a line or another control "
                "character in it; give it another name and export again"
            )


def _names(model: onnx.ModelProto) -> Iterator[str]:
    yield from (opset.domain for opset in model.opset_import)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output, *function.attribute)
        yield from (opset.domain for opset in function.opset_import)
    for graph in all_graphs(model):
        yield from (tensor.name for tensor in graph.initializer)
        for value in (*graph.input, *graph.output, *graph.value_info):
            yield value.name
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for node in all_nodes(model):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
