"""Another batch than the one for which a file was exported: sizes in it that are its batch follow the new one.

    input [1, 3, 8, 8], Reshape (x, [1, 288])    with the input 4x3x8x8    Reshape (x, [4, 288])

That is done only where each image of the results still comes from one image alone, as in the batch of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.batch.separate_images import keeps_apart
from b2nn_tvm.frontend.fold_constants import inferred_shapes
from b2nn_tvm.frontend.graph.without_weights import without_weights

_UNLIKELY = 9973  # a prime number, which is the size of no other axis
_MOST = 2**28  # elements of an input, as check_sizes has it
_SIZES = {"Reshape": 1, "Resize": 3}  # the input that holds the sizes of the result, the batch first


@dataclass(frozen=True)
class _Change:
    """The ``inputs`` whose batch changes from the file's ``old`` one to the ``new`` one, and all shapes ``given``."""

    inputs: frozenset[str]
    old: int
    new: int
    fixed: bool  # by the file
    given: Mapping[str, tuple[int, ...]]


def follow_batch(model: onnx.ModelProto, given: Mapping[str, tuple[int, ...]] | None) -> bool:
    """Change ``model``, as ``load_model`` gives it, to the batch of the ``given`` input shapes; returns whether it was
    changed.

    It stays as it is where the file leaves the batch open and holds no size that depends on it, and where ``given``
    contradicts the file in more than the batch. Raises InputError, naming a node, where the file fixes the batch and
    images of another batch would not be computed one by one.
    """
    change = _change(model, given or {})
    if change is None:
        return False
    constants = _constants(model.graph)
    with_sizes = [(node, sizes) for node in model.graph.node if (sizes := _sizes(node, constants)) is not None]
    if not change.fixed and not any(sizes[0] == change.old for _, sizes in with_sizes):
        return False
    light = without_weights(model)
    shapes = _shapes(light, change, change.old)
    dependent = _dependent(light.graph.node, change.inputs)
    followed = [
        node.name
        for node, sizes in with_sizes
        if node.input[0] in dependent and _is_batch(node, sizes, shapes, change.old)
    ]
    if not change.fixed and not followed:
        return False
    _set_sizes(light, followed, constants, change.old * _UNLIKELY)
    _check(light, change, shapes, _shapes(light, change, change.old * _UNLIKELY), constants)
    _set_sizes(model, followed, constants, change.new)
    for value in model.graph.input:
        if value.name in change.inputs:
            value.type.tensor_type.shape.dim[0].dim_value = change.new
    return True


def _change(model: onnx.ModelProto, given: Mapping[str, tuple[int, ...]]) -> _Change | None:
    constants = {tensor.name for tensor in model.graph.initializer}
    declared = [value for value in model.graph.input if value.name not in constants]
    by_name = {declared[0].name if not name and len(declared) == 1 else name: shape for name, shape in given.items()}
    found: dict[str, tuple[int, int, bool]] = {}
    for value in declared:
        dims, shape = value.type.tensor_type.shape.dim, by_name.get(value.name)
        if shape is None or not shape or len(dims) != len(shape):
            continue
        if any(dim.dim_value > 0 and dim.dim_value != size for dim, size in zip(dims[1:], shape[1:])):
            return None  # static_shapes refuses them
        if min(shape) < 1 or max(shape[0], dims[0].dim_value) > _MOST:
            return None
        fixed = dims[0].dim_value > 0
        old = dims[0].dim_value if fixed else 1
        if old != shape[0]:
            found[value.name] = (old, shape[0], fixed)
    if len({(old, new) for old, new, _ in found.values()}) != 1:
        return None
    (old, new, _), *_ = found.values()
    words = {_batch_word(value) for value in declared if value.name in found} - {""}
    also = {value.name for value in declared if _batch_word(value) in words}
    return _Change(frozenset({*found, *also}), old, new, any(fixed for *_, fixed in found.values()), by_name)


def _batch_word(value: onnx.ValueInfoProto) -> str:
    return next((str(dim.dim_param) for dim in value.type.tensor_type.shape.dim[:1]), "")


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The small constants by name."""
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer if np.prod(each.dims) <= 64}
    for node in graph.node:
        if node.op_type == "Constant":
            for each in node.attribute:
                if each.name == "value" and np.prod(each.t.dims) <= 64:
                    found[node.output[0]] = numpy_helper.to_array(each.t)
                elif each.name in ("value_ints", "value_int"):
                    found[node.output[0]] = np.array(each.ints if each.name == "value_ints" else each.i, np.int64)
    return found


def _sizes(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The constant sizes of the node's result, as the file has them."""
    place = _SIZES.get(node.op_type, len(node.input)) if node.domain in ("", "ai.onnx") else len(node.input)
    sizes = constants.get(node.input[place]) if place < len(node.input) else None
    return sizes if sizes is not None and sizes.ndim == 1 and sizes.size else None


def _is_batch(node: onnx.NodeProto, sizes: np.ndarray, shapes: Mapping[str, tuple[int, ...]], batch: int) -> bool:
    """Whether the first of the node's constant sizes is the ``batch`` of its input and its result."""
    x, result = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    whole = node.op_type == "Reshape" or len(sizes) == len(x)  # and not those of some axes
    return whole and x[:1] == result[:1] == (int(sizes[0]),) == (batch,)


def _dependent(nodes: Iterable[onnx.NodeProto], inputs: frozenset[str]) -> set[str]:
    """The values that depend on more of the ``inputs`` than their shapes."""
    found = set(inputs)
    for node in nodes:
        if node.op_type != "Shape" and any(name in found for name in node.input):
            found.update(node.output)
    return found


def _shapes(model: onnx.ModelProto, change: _Change, batch: int) -> dict[str, tuple[int, ...]]:
    """The shapes of all values where the changed inputs have this batch."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for value in sized.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in change.inputs:
            dims[0].dim_value = batch
        for dim, size in zip(dims[1:], change.given.get(value.name, ())[1:]):
            dim.dim_value = size
    sized.graph.ClearField("value_info")
    for value in sized.graph.output:
        value.type.tensor_type.ClearField("shape")
    return inferred_shapes(sized)


def _check(
    model: onnx.ModelProto,
    change: _Change,
    old: Mapping[str, tuple[int, ...]],
    many: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, np.ndarray],
) -> None:
    """Raise InputError where an output of the network is not made of one image at each place of its axis 0."""
    batched, mixed = set(change.inputs), dict[str, onnx.NodeProto]()
    for node in model.graph.node:
        guilty = next((mixed[name] for name in node.input if name in mixed), None)
        if guilty is None and (node.op_type == "Shape" or not any(name in batched for name in node.input)):
            continue
        for name in filter(None, node.output):
            apart = name in old and old[name][:1] == (change.old,)
            apart = apart and many.get(name) == (change.old * _UNLIKELY, *old[name][1:])
            if guilty is None and apart and keeps_apart(node, batched, old, constants):
                batched.add(name)
            else:
                mixed[name] = guilty or node
    for output in model.graph.output:
        if node := mixed.get(output.name):
            raise InputError(
                f"the batch of the file is {change.old}, and the input shapes given make it {change.new}, but at node "
                f"{node.name!r} ({node.op_type}) images might be mixed: what it computes is not known to be computed "
                "image by image; give the input shapes with which the network was exported, or export it with a batch "
                f"of {change.new} or an open one"
            )


def _set_sizes(model: onnx.ModelProto, names: list[str], constants: Mapping[str, np.ndarray], batch: int) -> None:
    """Let these nodes make results of this batch."""
    for node in model.graph.node:
        if node.name in names:
            place = _SIZES[node.op_type]
            sizes = constants[node.input[place]].copy()
            sizes[0] = batch
            stored = f"{node.output[0]}_b2nn_sizes"
            model.graph.initializer.append(numpy_helper.from_array(sizes, stored))
            node.input[place] = stored
