"""What an adapter sees of a node and does to it: attributes are taken away, inputs and nodes around it are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_ELEMENTS = frozenset(helper.get_all_tensor_dtypes()) - {TensorProto.STRING, TensorProto.UNDEFINED}


class NodeContext:
    """One node that is being converted; ``before`` and ``after`` are the nodes that go around it.

    ``types`` are the types of the graph's values, and ``taken`` the names in use, to which new ones are added.
    """

    def __init__(self, node: onnx.NodeProto, types: Mapping[str, onnx.TypeProto.Tensor], taken: set[str]) -> None:
        self.node = node
        self.before: list[onnx.NodeProto] = []
        self.after: list[onnx.NodeProto] = []
        self._types, self._taken = types, taken

    def take(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, which the node has no longer then; texts are bytes."""
        for index, attribute in enumerate(self.node.attribute):
            if attribute.name == name:
                value = helper.get_attribute_value(attribute)
                del self.node.attribute[index]
                return value
        return default

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, which the node keeps."""
        found = (helper.get_attribute_value(each) for each in self.node.attribute if each.name == name)
        return next(found, default)

    def set(self, name: str, value: Any) -> None:
        """Give the node an attribute in place of the one that it may have under this name."""
        self.take(name)
        self.node.attribute.append(helper.make_attribute(name, value))

    def rank(self, value: str) -> int | None:
        """The number of dimensions of a value, None where it is not known."""
        known = self._types.get(value)
        return len(known.shape.dim) if known is not None and known.HasField("shape") else None

    def dtype(self, value: str) -> np.dtype[Any]:
        """The numpy type of a value; float32 where it is not known, or no number."""
        known = self._types.get(value)
        element = known.elem_type if known is not None else 0
        if element not in _ELEMENTS:
            element = TensorProto.FLOAT
        return np.dtype(helper.tensor_dtype_to_np_dtype(element))

    def constant(self, word: str, value: np.ndarray | np.generic) -> str:
        """The name of a new constant, computed by a node before this one."""
        name = self.new_name(word)
        tensor = numpy_helper.from_array(np.asarray(value))
        self.before.append(helper.make_node("Constant", [], [name], value=tensor, name=name))
        return name

    def put_before(self, op_type: str, inputs: list[str], word: str, **attributes: Any) -> str:
        """The output of a new node before this one."""
        name = self.new_name(word)
        self.before.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def put_layer(self, op_type: str, inputs: list[str], **attributes: Any) -> str:
        """The output of a new node before this one, which takes over the name of this one as the layer's."""
        output = self.put_before(op_type, inputs, "sums", **attributes)
        self.before[-1].name, self.node.name = self.node.name, output
        return output

    def put_after(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Compute ``output`` by a new node behind this one."""
        self.after.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))

    def become(self, op_type: str, inputs: list[str], **attributes: Any) -> None:
        """Make the node another one, which computes the same output."""
        self.node.op_type, self.node.domain = op_type, ""
        del self.node.input[:]
        self.node.input.extend(inputs)
        del self.node.attribute[:]
        self.node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())

    def set_input(self, position: int, value: str) -> None:
        """Make ``value`` the input at ``position``; optional inputs in front of it that are not there stay left out."""
        while len(self.node.input) <= position:
            self.node.input.append("")
        self.node.input[position] = value

    def new_name(self, word: str) -> str:
        """A name that nothing has yet, made from the node's output."""
        base = name = f"{next(filter(None, self.node.output), self.node.op_type)}/{word}"
        number = 1
        while name in self._taken:
            number += 1
            name = f"{base}{number}"
        self._taken.add(name)
        return name
