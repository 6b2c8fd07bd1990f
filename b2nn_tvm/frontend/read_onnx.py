"""Read an ONNX file into one flat, static, fully named graph, or raise an error that names the obstacle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner

from b2nn_tvm.errors import InputError, UnsupportedError

OLDEST_OPSET = 11
_CONVERTED_FUNCTIONS = ("BinaryConv2d", "WeightBinaryConv2d", "BipolarQuant")
_OPTIONAL_OUTPUTS = ("BatchNormalization", "Dropout", "LayerNormalization", "MaxPool")
_DOMAINS = ("", "ai.onnx", "com.microsoft", "b2nn", "qonnx.custom_op.general", "onnx.brevitas")


def load_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The model in a file: external data loaded, functions without a converter inlined, every node with its own name,
    optional outputs that nothing reads dropped.

    Raises InputError where the file is missing, is no ONNX model, lacks its external data or is older than opset 11.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an ONNX model")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise InputError(f"{path}: expected an ONNX model, but the file cannot be read as one") from None
    if not model.graph.node or not model.opset_import:
        raise InputError(f"{path}: expected an ONNX model, but the file holds no graph")
    try:
        onnx.load_external_data_for_model(model, str(path.parent.resolve()))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path}: the weights are stored in another file that cannot be read ({reason}); put it beside the model, "
            "or export with external_data=False"
        ) from None
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        raise InputError(
            f"{path}: expected opset {OLDEST_OPSET} or newer, but the model has opset {opset}; convert it with "
            "onnx.version_converter.convert_version(model, 18)"
        )
    kept = [(f.domain, f.name) for f in model.functions if f.name in _CONVERTED_FUNCTIONS]
    if len(kept) < len(model.functions):
        model = inliner.inline_selected_functions(model, kept, exclude=True)
    name_nodes(model.graph)
    _drop_unread_outputs(model.graph)
    return model


def check_operators(model: onnx.ModelProto, known: frozenset[str]) -> None:
    """Raise UnsupportedError naming the nodes whose operators cannot be imported."""
    unknown: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type not in known or node.domain not in _DOMAINS:
            op = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
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
    leaves open.

    Raises InputError where another dimension is open, or where ``given`` contradicts the file.
    """
    given = dict(given or {})
    constants = {tensor.name for tensor in model.graph.initializer}
    declared = {value.name: value for value in model.graph.input if value.name not in constants}
    for name in given:
        if name not in declared:
            raise InputError(f"the model has no input {name!r}; its inputs are {', '.join(declared)}")
    return {name: _static_shape(name, value, given.get(name)) for name, value in declared.items()}


def _static_shape(name: str, value: onnx.ValueInfoProto, given: tuple[int, ...] | None) -> tuple[int, ...]:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise UnsupportedError(f"input {name!r} is no tensor; only tensors can be compiled")
    if not tensor.HasField("shape"):
        if given is None:
            raise InputError(f"the shape of input {name!r} is not in the file; pass --input-shape {name}=1x3x224x224")
        return tuple(given)
    dims: list[int | None] = [
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim
    ]
    words = [str(d) if d else s.dim_param or "?" for d, s in zip(dims, tensor.shape.dim)]
    if given is not None:
        if len(given) != len(dims) or any(d not in (None, g) for d, g in zip(dims, given)) or min(given, default=1) < 1:
            raise InputError(
                f"input {name!r} has the shape [{', '.join(words)}] in the file, "
                f"but {','.join(map(str, given))} was given"
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
    """Give each node a name of its own: the one that it has, else its operator and its place in the file."""
    taken: set[str] = set()
    for index, node in enumerate(graph.node):
        name = base = node.name or f"{node.op_type}_{index}"
        count = 1
        while name in taken:
            count += 1
            name = f"{base}#{count}"
        node.name = name
        taken.add(name)


def _drop_unread_outputs(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for node in graph.node:
        while node.op_type in _OPTIONAL_OUTPUTS and len(node.output) > 1 and node.output[-1] not in read:
            node.output.pop()
