"""Read an ONNX file into one flat, static, fully named graph, or raise an error that names the obstacle."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from onnx import inliner

from b2nn_tvm.errors import B2nnError, InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_functions import check_functions
from b2nn_tvm.frontend.checks.check_graph import check_graph
from b2nn_tvm.frontend.checks.check_names import check_names, printable
from b2nn_tvm.frontend.checks.check_nodes import check_nodes
from b2nn_tvm.frontend.checks.check_tensor import check_tensor
from b2nn_tvm.frontend.checks.walk_model import all_tensors
from b2nn_tvm.frontend.external_data import load_external_data
from b2nn_tvm.frontend.functions.function_defaults import write_defaults
from b2nn_tvm.frontend.functions.own_opsets import mark_opsets, own_opset
from b2nn_tvm.frontend.graph.name_modules import name_modules
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from b2nn_tvm.frontend.read_model_file import read_model_file
from b2nn_tvm.frontend.versions.convert_opset import convert_opset
from b2nn_tvm.frontend.versions.dense_tensors import make_dense
from b2nn_tvm.frontend.versions.widen_half import widen_half
from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers

_CONVERTED_FUNCTIONS = ("BinaryConv2d", "WeightBinaryConv2d")
_OPTIONAL_OUTPUTS = ("BatchNormalization", "Dropout", "LayerNormalization", "MaxPool")


def load_unchanged(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The model in a file, checked, with its external data and with dense tensors, and else as it is there.

    Raises InputError where the file is missing, is no ONNX model, is damaged or lacks its external data.
    """
    path = Path(path)
    model = read_model_file(path)
    try:
        _check(model)
        load_external_data(model, path.parent)
    except B2nnError as error:
        raise type(error)(f"{path}: {error}") from None
    return model


def load_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The model in a file: external data loaded, functions without a converter inlined, every node with its own name,
    optional outputs that nothing reads dropped, quantizers of other tools in standard operators, nodes in an order that
    can be computed, of opset 18 or newer.

    All is checked before anything is made of it. Raises InputError as ``load_unchanged`` does.
    """
    path = Path(path)
    model = load_unchanged(path)
    kept = [(f.domain, f.name) for f in model.functions if f.name in _CONVERTED_FUNCTIONS]
    if len(kept) < len(model.functions):
        model = _inlined(model, kept, path)
    name_modules(model.graph)
    name_nodes(model.graph)
    _drop_unread_outputs(model.graph)
    try:
        expand_quantizers(model)
        convert_opset(model)
        expand_quantized(model)
        widen_half(model)
    except B2nnError as error:
        raise type(error)(f"{path}: {error}") from None
    name_nodes(model.graph)  # again: also the nodes that came with the conversion
    return model


def _check(model: onnx.ModelProto) -> None:
    """Raise InputError, or UnsupportedError, for what is wrong in the model before its external data is loaded."""
    check_names(model)
    make_dense(model)
    for tensor in all_tensors(model):
        check_tensor(tensor)
    check_functions(model)
    check_graph(model)
    check_nodes(model)


def _inlined(model: onnx.ModelProto, kept: list[tuple[str, str]], path: Path) -> onnx.ModelProto:
    """The model with the bodies of its functions, but for those ``kept``, in place of their calls."""
    try:
        write_defaults(model)
        mark_opsets(model, kept)
        inlined = inliner.inline_selected_functions(model, kept, exclude=True)
        check_graph(inlined)
        check_nodes(inlined, own_opset)
    except (InputError, UnsupportedError, RuntimeError, ValueError, IndexError) as error:  # also those of onnx itself
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: the functions of the file cannot be inlined: {lines[0]}") from None
    return inlined


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node a name of its own, on one line: the one that it has, else its operator and place in the file."""
    taken: set[str] = set()
    counts: dict[str, int] = {}  # so that thousands of nodes of one name need no thousand tries each
    for index, node in enumerate(graph.node):
        name = base = printable(node.name) or f"{node.op_type}_{index}"
        while name in taken:
            counts[base] = counts.get(base, 1) + 1
            name = f"{base}#{counts[base]}"
        node.name = name
        taken.add(name)


def _drop_unread_outputs(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for node in graph.node:
        while node.op_type in _OPTIONAL_OUTPUTS and len(node.output) > 1 and node.output[-1] not in read:
            node.output.pop()
