"""Damaged ONNX files: changes to the structure of a model, or to its bytes, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

NUMBERS = (-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 5, 64, 2**16, 2**31 - 1, 2**31, 2**62, 2**63 - 1)
NAMES = ("", "nowhere", "a\nb", "../../etc/passwd", "/", "x" * 5000, "nul\0", "input", "output", "a", "b", "\u202e")
OPERATORS = (*("Add", "Conv", "MatMul", "Reshape", "Concat", "If", "Loop", "Cast", "Tile", "Shape", "Slice", "Resize"),)
Rng = np.random.Generator


def damaged(model: onnx.ModelProto, seed: int) -> bytes:
    """The bytes of ``model`` after one to three changes: to its structure where ``seed`` is even, else to its bytes."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    if seed % 2:
        content = model.SerializeToString()
        for _ in range(count):
            content = _pick(rng, _BYTES)(rng, content)
        return content
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    for _ in range(count):
        _pick(rng, _STRUCTURE)(rng, changed)
    return changed.SerializeToString()


def _pick(rng: Rng, choices):
    """One of ``choices``; None where there is none."""
    return choices[int(rng.integers(len(choices)))] if len(choices) else None


def _flip(rng: Rng, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(rng: Rng, content: bytes) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _remove(rng: Rng, content: bytes) -> bytes:
    start = int(rng.integers(len(content) + 1))
    return content[:start] + content[start + int(rng.integers(1, 64)) :]


def _insert(rng: Rng, content: bytes) -> bytes:
    start = int(rng.integers(len(content) + 1))
    return content[:start] + rng.bytes(int(rng.integers(1, 64))) + content[start:]


def _repeat(rng: Rng, content: bytes) -> bytes:
    start = int(rng.integers(len(content) + 1))
    return content[:start] + content[start : start + int(rng.integers(1, 200))] + content[start:]


def _wire_a_node(rng: Rng, model: onnx.ModelProto) -> None:
    """An input or output of a node gets another name: dangling, cyclic or twice computed values."""
    node = _pick(rng, model.graph.node)
    if node is None:
        return
    names = _pick(rng, (node.input, node.output))
    known = [name for each in model.graph.node for name in (*each.input, *each.output)]
    if names:
        names[int(rng.integers(len(names)))] = _pick(rng, (*NAMES, *known))


def _change_arity(rng: Rng, model: onnx.ModelProto) -> None:
    node = _pick(rng, model.graph.node)
    if node is not None:
        names = _pick(rng, (node.input, node.output))
        if rng.integers(2) and names:
            del names[-1]
        else:
            names.append(_pick(rng, NAMES))


def _move_a_node(rng: Rng, model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    if nodes:
        node = nodes.pop(int(rng.integers(len(nodes))))
        copies = int(rng.integers(3))
        at = int(rng.integers(len(nodes) + 1))
        del model.graph.node[:]
        model.graph.node.extend([*nodes[:at], *[node] * copies, *nodes[at:]])


def _rename_operator(rng: Rng, model: onnx.ModelProto) -> None:
    node = _pick(rng, model.graph.node)
    if node is not None:
        node.op_type = _pick(rng, (*OPERATORS, "", "Nothing", "a\nb"))
        node.domain = _pick(rng, ("", "", "b2nn", "ai.onnx", "mystery"))


def _change_attribute(rng: Rng, model: onnx.ModelProto) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    attribute = _pick(rng, _pick(rng, nodes).attribute)
    way = int(rng.integers(5))
    if way == 0:
        attribute.name = _pick(rng, (*NAMES, "axis", "pads", "group"))
    elif way == 1:
        attribute.type = int(rng.integers(15))
    elif way == 2:
        attribute.i = _pick(rng, NUMBERS)
    elif way == 3 and attribute.ints:
        attribute.ints[int(rng.integers(len(attribute.ints)))] = _pick(rng, NUMBERS)
    elif attribute.ints:
        del attribute.ints[int(rng.integers(len(attribute.ints))) :]


def _add_attribute(rng: Rng, model: onnx.ModelProto) -> None:
    node = _pick(rng, model.graph.node)
    if node is not None:
        name = _pick(rng, ("axis", "group", "strides", "pads", "kernel_shape", "auto_pad", "to", "then_branch"))
        value = _pick(rng, (_pick(rng, NUMBERS), [_pick(rng, NUMBERS)] * 2, "SAME", 0.5, model.graph))
        node.attribute.append(helper.make_attribute(name, value))


def _change_input_shape(rng: Rng, model: onnx.ModelProto) -> None:
    value = _pick(rng, (*model.graph.input, *model.graph.output))
    if value is None:
        return
    shape = value.type.tensor_type.shape
    if shape.dim and rng.integers(4):
        _pick(rng, shape.dim).dim_value = _pick(rng, NUMBERS)
    elif rng.integers(2):
        shape.dim.add().dim_param = _pick(rng, NAMES)
    else:
        value.type.tensor_type.elem_type = int(rng.integers(30))


def _change_tensor(rng: Rng, model: onnx.ModelProto) -> None:
    tensor = _pick(rng, model.graph.initializer)
    if tensor is None:
        return
    way = int(rng.integers(5))
    if way == 0:
        tensor.dims.append(_pick(rng, NUMBERS))
    elif way == 1 and tensor.dims:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = _pick(rng, NUMBERS)
    elif way == 2:
        tensor.data_type = int(rng.integers(30))
    elif way == 3:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    else:
        tensor.name = _pick(rng, NAMES)


def _make_external(rng: Rng, model: onnx.ModelProto) -> None:
    tensor = _pick(rng, model.graph.initializer)
    if tensor is not None:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        places = ("/etc/passwd", "../model.onnx", "model.onnx", "absent.bin", ".", "", "C:\\x", "a\nb")
        for key, values in (("location", places), ("offset", NUMBERS), ("length", (*NUMBERS, "many"))):
            if rng.integers(4):
                tensor.external_data.add(key=key, value=str(_pick(rng, values)))


def _change_opset(rng: Rng, model: onnx.ModelProto) -> None:
    if model.opset_import:
        opset = _pick(rng, model.opset_import)
        opset.version = _pick(rng, (*NUMBERS, 11, 13, 30))
        opset.domain = _pick(rng, ("", "", "b2nn", "mystery"))


def _drop_a_part(rng: Rng, model: onnx.ModelProto) -> None:
    part = _pick(rng, (model.graph.input, model.graph.output, model.graph.initializer, model.opset_import))
    if part:
        del part[int(rng.integers(len(part)))]


def _repeat_a_part(rng: Rng, model: onnx.ModelProto) -> None:
    part = _pick(rng, (model.graph.input, model.graph.output, model.graph.initializer, model.functions))
    if part:
        part.append(_pick(rng, part))


def _call_a_function(rng: Rng, model: onnx.ModelProto) -> None:
    """A function that may call itself stands for a node."""
    node = _pick(rng, model.graph.node)
    if node is not None:
        inner = _pick(rng, ("Relu", "Twice", node.op_type))
        body = [helper.make_node(inner, ["x"], ["y"], domain="b2nn" if inner == "Twice" else "")]
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("b2nn", 1)]
        model.functions.append(helper.make_function("b2nn", "Twice", ["x"], ["y"], body, opsets))
        node.op_type, node.domain = "Twice", "b2nn"


_BYTES: tuple[Callable, ...] = (_flip, _flip, _cut, _remove, _insert, _repeat)
_STRUCTURE: tuple[Callable, ...] = (
    *(_wire_a_node, _change_arity, _move_a_node, _rename_operator, _change_attribute, _add_attribute),
    *(_change_input_shape, _change_tensor, _make_external, _change_opset, _drop_a_part, _repeat_a_part),
    _call_a_function,
)
