"""Compute in advance the nodes of an ONNX graph that depend on constants and static shapes alone.

Exporters leave such arithmetic in the graph: the widths of a Pad, the bounds of a Slice, the signs and scales of latent
weights. The values come from onnx's reference evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_reshapes import check_reshapes
from b2nn_tvm.frontend.checks.check_sizes import check_shapes, check_work
from b2nn_tvm.frontend.checks.check_types import COMPILED_TYPES
from b2nn_tvm.frontend.checks.walk_model import nested_graphs
from b2nn_tvm.frontend.graph.drop_empty_parts import drop_empty_parts
from b2nn_tvm.frontend.graph.without_weights import without_weights
from b2nn_tvm.frontend.inline_branches import inline_branches
from b2nn_tvm.frontend.inline_sequences import InlineSequences

# Rounds of shape inference and folding: a folded Reshape tells the shapes behind it, and so on.
_ROUNDS = 8
_SMALL = 2**12  # elements; what is computed from fewer by an operator other than those below has at most 2^24
_GROWING = ("ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")
_LARGEST_EYE = 2**24
_MOST_FOLDED = 2**30  # bytes of all values computed here, above eight times those of the file
_RANDOM = (
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Dropout",
)


def fold_constants(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], *, sign_zero: str | None = None
) -> onnx.ModelProto:
    """The model with inputs of these static shapes, and without nodes that need no input of the network, that nothing
    reads, or that are an If or Loop whose way is known; known sequences are plain tensors.

    ``sign_zero`` is the value of Sign at 0: "+1" or "-1", or None for 0. Raises InputError where a value of the network
    or its work would be larger than any device of this kind can take, before it is allocated.
    """
    _fix_shapes(model.graph, shapes)
    opsets = list(model.opset_import)
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name in shapes:
        known.pop(name, None)
    stored = set(known)
    inline_sequences = InlineSequences()
    budget = _MOST_FOLDED + 8 * sum(value.nbytes for value in known.values())

    def fold(node: onnx.NodeProto, values: dict[str, np.ndarray]) -> bool:
        """A node in the body of a loop, where other values have these names."""
        return _fold(node, values, {}, opsets, sign_zero)

    for _ in range(_ROUNDS):
        _drop_unread(model.graph)
        inferred = inferred_shapes(model)
        check_shapes(inferred)
        check_reshapes(model.graph.node, inferred, known)
        check_work(model.graph.node, inferred)
        left = []
        for node in model.graph.node:
            if not _fold(node, known, inferred, opsets, sign_zero):
                left.append(node)
                continue
            written = sum(known[name].nbytes for name in node.output if name)
            budget += 8 * written if node.op_type == "Constant" else -written
            if budget < 0:
                raise InputError(
                    f"the values that node {node.name!r} ({node.op_type}) and those before it compute from constants "
                    "need more than 1 GiB above eight times the constants in the file; store the results in it"
                )
        changed = len(left) < len(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend(left)
        inlined = inline_branches(model.graph, known, fold) | inline_sequences(model.graph, known, inferred)
        inlined |= drop_empty_parts(model.graph, known, inferred)
        _store(model.graph, known, stored)
        if not changed and not inlined:
            break
    read = _drop_unread(model.graph)
    for index in reversed(range(len(model.graph.initializer))):
        if model.graph.initializer[index].name not in read:
            del model.graph.initializer[index]
    return model


def _drop_unread(graph: onnx.GraphProto) -> set[str]:
    """Drop the nodes whose results nothing reads; returns the names of all values that are read."""
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read.isdisjoint(node.output):
            continue
        kept.append(node)
        read.update(node.input)
        for inner in nested_graphs([node]):
            read.update(value.name for value in inner.output)
            read.update(name for each in inner.node for name in each.input)
    if len(kept) < len(graph.node):
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
        del graph.node[:]
        graph.node.extend(copies)
    return read


def _fix_shapes(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for index in reversed(range(len(graph.input))):
        if graph.input[index].name not in shapes:  # a constant: files of IR version 3 have these among the inputs
            del graph.input[index]
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        del dims[:]
        value.type.tensor_type.shape.SetInParent()
        for size in shapes[value.name]:
            dims.add().dim_value = size
    graph.ClearField("value_info")  # these shapes may still name the open dimensions
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")


def inferred_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The static shapes that shape inference finds, by the names of the values."""
    try:
        graph = shape_inference.infer_shapes(without_weights(model), data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError):  # the importer will find the fault, and name the node
        return {}
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            found[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return found


def _fold(
    node: onnx.NodeProto,
    known: dict[str, np.ndarray],
    inferred: Mapping[str, tuple[int, ...]],
    opsets: list[onnx.OperatorSetIdProto],
    sign_zero: str | None,
) -> bool:
    """Compute the node and enter its outputs into ``known`` if all its inputs are known; returns whether it did."""
    if node.domain not in ("", "ai.onnx") or node.op_type in _RANDOM:
        return False
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        return False
    if node.op_type == "Shape" and node.input[0] in inferred:
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        dims = np.array(inferred[node.input[0]], np.int64)
        known[node.output[0]] = dims[slice(bounds.get("start"), bounds.get("end"))]
        return True
    if node.op_type == "EyeLike" and (eye := _eye(node, inferred.get(node.input[0], ()))) is not None:
        known[node.output[0]] = eye
        return True
    names = [name for name in node.input if name]
    if any(name not in known for name in names):
        return False
    if node.op_type == "Sign" and sign_zero is not None:
        x = known[node.input[0]]
        positive = x >= 0 if sign_zero == "+1" else x > 0
        known[node.output[0]] = np.where(positive, 1, -1).astype(x.dtype)
        return True
    if _may_be_large(node, {name: known[name] for name in names}, opsets):
        return False
    try:
        inputs = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(known[name].dtype), None)
            for name in names
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "constant", inputs, outputs)
        values = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets)).run(
            None, {n: known[n] for n in names}
        )
    except Exception:  # noqa: BLE001 - a node that the evaluator cannot compute is left for the compiler
        return False
    if not all(isinstance(value, np.ndarray | np.generic) and value.dtype.kind != "O" for value in values):
        return False
    known.update(zip((name for name in node.output if name), map(np.asarray, values)))
    return True


def _eye(node: onnx.NodeProto, shape: tuple[int, ...]) -> np.ndarray | None:
    """The result of EyeLike, which has the shape of its input and nothing else of it where it names a type."""
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    element = attributes.get("dtype", 0)
    if len(shape) != 2 or shape[0] * shape[1] > _LARGEST_EYE or element not in COMPILED_TYPES:
        return None
    return np.eye(*shape, k=attributes.get("k", 0), dtype=onnx.helper.tensor_dtype_to_np_dtype(element))


def _may_be_large(
    node: onnx.NodeProto, values: Mapping[str, np.ndarray], opsets: list[onnx.OperatorSetIdProto]
) -> bool:
    """Whether the size of the node's results is in doubt; raises InputError where it is surely too large."""
    if node.op_type not in _GROWING and sum(value.size for value in values.values()) <= _SMALL:
        return False
    if node.op_type == "OneHot":  # whose shape onnx does not infer
        indices, depth = (values.get(name) for name in node.input[:2])
        return indices is None or depth is None or depth.size != 1 or indices.size * int(depth.max()) > 2**24
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in values.items() if value.size <= _SMALL]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "constant", inputs, outputs, constants)
    found = inferred_shapes(onnx.helper.make_model(graph, opset_imports=opsets))
    results = {name: found[name] for name in node.output if name in found}
    check_shapes(results)
    return node.op_type in _GROWING and not results


def _store(graph: onnx.GraphProto, known: Mapping[str, np.ndarray], stored: set[str]) -> None:
    """Turn the computed values that are read into initializers."""
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    read |= {name for inner in nested_graphs(graph.node) for node in inner.node for name in node.input}
    read |= {value.name for inner in nested_graphs(graph.node) for value in inner.output}
    for name in sorted(read & known.keys() - stored):
        graph.initializer.append(numpy_helper.from_array(known[name], name))
        stored.add(name)
