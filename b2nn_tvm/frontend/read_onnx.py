"""Read an ONNX file into one flat, static, fully named graph, or raise an error that names the obstacle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, inliner

from b2nn_tvm.errors import B2nnError, InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_functions import check_functions
from b2nn_tvm.frontend.checks.check_graph import check_graph
from b2nn_tvm.frontend.checks.check_names import check_names, printable
from b2nn_tvm.frontend.checks.check_nodes import check_nodes
from b2nn_tvm.frontend.checks.check_sizes import check_shapes
from b2nn_tvm.frontend.checks.check_tensor import check_tensor
from b2nn_tvm.frontend.checks.walk_model import all_tensors
from b2nn_tvm.frontend.external_data import load_external_data
from b2nn_tvm.frontend.read_model_file import read_model_file

OLDEST_OPSET = 11
_CONVERTED_FUNCTIONS = ("BinaryConv2d", "WeightBinaryConv2d", "BipolarQuant")
_OPTIONAL_OUTPUTS = ("BatchNormalization", "Dropout", "LayerNormalization", "MaxPool")
_DOMAINS = ("", "ai.onnx", "com.microsoft", "b2nn", "qonnx.custom_op.general", "onnx.brevitas")
_INPUT_TYPES = frozenset(
    TensorProto.DataType.Value(name)
    for name in (
        *("BOOL", "DOUBLE", "FLOAT", "FLOAT16", "INT8", "INT16", "INT32", "INT64"),
        *("UINT8", "UINT16", "UINT32", "UINT64"),
    )
)


def load_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The model in a file: external data loaded, functions without a converter inlined, every node with its own name,
    optional outputs that nothing reads dropped, nodes in an order that can be computed.

    All is checked before anything is made of it. Raises InputError where the file is missing, is no ONNX model, is
    damaged, lacks its external data or is older than opset 11.
    """
    path = Path(path)
    model = read_model_file(path)
    try:
        _check(model)
        load_external_data(model, path.parent)
    except B2nnError as error:
        raise type(error)(f"{path}: {error}") from None
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        raise InputError(
            f"{path}: expected opset {OLDEST_OPSET} or newer, but the model has opset {opset}; convert it with "
            "onnx.version_converter.convert_version(model, 18)"
        )
    kept = [(f.domain, f.name) for f in model.functions if f.name in _CONVERTED_FUNCTIONS]
    if len(kept) < len(model.functions):
        model = _inlined(model, kept, path)
    name_nodes(model.graph)
    _drop_unread_outputs(model.graph)
    return model


def _check(model: onnx.ModelProto) -> None:
    """Raise InputError, or UnsupportedError, for what is wrong in the model before its external data is loaded."""
    check_names(model)
    for tensor in all_tensors(model):
        check_tensor(tensor)
    check_functions(model)
    check_graph(model)
    check_nodes(model)


def _inlined(model: onnx.ModelProto, kept: list[tuple[str, str]], path: Path) -> onnx.ModelProto:
    """The model with the bodies of its functions, but for those ``kept``, in place of their calls."""
    try:
        inlined = inliner.inline_selected_functions(model, kept, exclude=True)
        check_graph(inlined)
        check_nodes(inlined)
    except (InputError, UnsupportedError, RuntimeError, ValueError, IndexError) as error:  # also those of onnx itself
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: the functions of the file cannot be inlined: {lines[0]}") from None
    return inlined


def check_operators(model: onnx.ModelProto, known: frozenset[str]) -> None:
    """Raise UnsupportedError naming the nodes whose operators cannot be imported."""
    unknown: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type not in known or node.domain not in _DOMAINS:
            op = printable(f"{node.domain}::{node.op_type}" if node.domain else node.op_type)
            unknown.setdefault(op, []).append(node.name)
    if unknown:
        parts = [
            f"{op} (node {names[0]!r}{f' and {len(names) - 1} more' if names[1:] else ''})"
            for op, names in unknown.items()
        ]
        raise UnsupportedError(
            f"the model has operators that cannot be compiled: {', '.join(parts)}; replace them by standard ONNX "
            "operators and export again"
        )


def input_shapes(model: onnx.ModelProto, given: Mapping[str, tuple[int, ...]] | None) -> dict[str, tuple[int, ...]]:
    """The static shape of every input: the ``given`` one, else the one in the file, with 1 for a batch that the file
    leaves open. A ``given`` shape under the name "" is that of the only input.

    Raises InputError where another dimension is open, where ``given`` contradicts the file, or where an input would
    have more than 2^28 elements.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    declared = {value.name: value for value in model.graph.input if value.name not in constants}
    given = _named(given or {}, list(declared))
    shapes = {name: _static_shape(name, value, given.get(name)) for name, value in declared.items()}
    check_shapes(shapes)
    return shapes


def _named(given: Mapping[str, tuple[int, ...]], inputs: list[str]) -> dict[str, tuple[int, ...]]:
    """The ``given`` shapes by the names of ``inputs``; raises InputError where they do not fit these."""
    named = dict(given)
    if "" in named:  # no input of ONNX has this name
        shape = named.pop("")
        sizes = "x".join(map(str, shape))
        if len(inputs) != 1:
            raise InputError(
                f"the shape {sizes} was given without a name, but the network has {len(inputs)} inputs: "
                f"{', '.join(inputs)}; name the one that is meant, such as --input-shape {inputs[0]}={sizes}"
            )
        if named.setdefault(inputs[0], shape) != shape:
            raise InputError(f"input {inputs[0]!r} was given two shapes, {_text(named[inputs[0]])} and {_text(shape)}")
    for name in named:
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}; its inputs are {', '.join(inputs)}")
    return named


def _text(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))


def _static_shape(name: str, value: onnx.ValueInfoProto, given: tuple[int, ...] | None) -> tuple[int, ...]:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise UnsupportedError(f"input {name!r} is no tensor; only tensors can be compiled")
    if tensor.elem_type not in _INPUT_TYPES:
        names = {number: word for word, number in TensorProto.DataType.items()}
        raise UnsupportedError(
            f"input {name!r} has the type {names.get(tensor.elem_type, tensor.elem_type)}; expected float, bool or "
            "integers of at least 8 bits: export the network with one of these"
        )
    if not tensor.HasField("shape"):
        if given is None:
            raise InputError(f"the shape of input {name!r} is not in the file; pass --input-shape {name}=1x3x224x224")
        return tuple(given)
    dims: list[int | None] = [
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim
    ]
    words = [str(d) if d else s.dim_param or "?" for d, s in zip(dims, tensor.shape.dim)]
    negative = [d.dim_value for d in tensor.shape.dim if d.dim_value < -1]  # some exporters write -1 or 0 for open
    if negative:
        raise InputError(f"input {name!r} has a dimension of {negative[0]} in the file; export it again")
    if given is not None:
        if len(given) != len(dims) or any(d not in (None, g) for d, g in zip(dims, given)) or min(given, default=1) < 1:
            raise InputError(
                f"input {name!r} has the shape [{', '.join(words)}] in the file, but {_text(given)} was given"
            )
        return tuple(given)
    if dims and dims[0] is None:
        dims[0] = 1
    static = tuple(d for d in dims if d is not None)
    if len(static) < len(dims):
        example = "x".join(str(d or 224) for d in dims)
        raise InputError(
            f"input {name!r} has the shape [{', '.join(words)}], and only the batch may be left open; "
            f"pass --input-shape {name}={example}"
        )
    return static


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
