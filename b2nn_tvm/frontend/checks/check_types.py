"""Check that all values of a network have types that can be compiled, before a library written in C++ meets others."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.graph.value_types import inferred_values

_COMPILED = (
    "BOOL",
    "DOUBLE",
    "FLOAT",
    "FLOAT16",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
)
COMPILED_TYPES = frozenset(TensorProto.DataType.Value(name) for name in _COMPILED)
SUPPORTED = "float32, float64, float16, bool and integers of 8 to 64 bits can be compiled"
_NAMES = {number: name.lower() for name, number in TensorProto.DataType.items()}


def check_types(model: onnx.ModelProto) -> None:
    """Raise UnsupportedError, naming the value and the node that computes it, where a value is no tensor or has a type
    without kernels, such as bfloat16, 8-bit floats, 4-bit integers, texts or complex numbers.

    What can be computed from constants was folded before, and is not among the values.
    """
    producers = {output: node for node in model.graph.node for output in node.output}
    read = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    for name, kind in _kinds(model):
        if not kind or (name not in read and name not in producers):
            continue
        node = producers.get(name)
        where = f" of node {quoted(node.name)} ({node.op_type})" if node is not None else ""
        raise UnsupportedError(
            f"the value {quoted(name)}{where} is {kind}; {SUPPORTED}: export the network in float32, for example after "
            "model.float() in PyTorch"
        )


def _kinds(model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    """The values by their names, and what each is where that cannot be compiled, else "" ."""
    for tensor in model.graph.initializer:
        yield tensor.name, _element_kind(tensor.data_type)
    for value in inferred_values(model):
        kind = value.type.WhichOneof("value")
        if kind == "tensor_type":
            yield value.name, _element_kind(value.type.tensor_type.elem_type)
        elif kind is not None:
            yield value.name, f"no tensor but {'an' if kind[0] in 'aeiou' else 'a'} {kind.removesuffix('_type')}"


def _element_kind(element: int) -> str:
    return "" if element in COMPILED_TYPES or not element else f"of type {_NAMES.get(element, element)}"
