"""Writes the standard nodes that stand for one node of another domain, in the operators of the file's own opset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.reference.quantizers.known_values import KnownValues

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
OLDEST_OPSET = 9  # the first with Where


class NodeBuilder:
    """Collects ``nodes``; their names begin with that of the first output of ``node``, so none is in the file yet.

    All is computed in the element type of the node's first input, in float32 where that is no float type. Raises
    UnsupportedError for a file of an opset older than OLDEST_OPSET.
    """

    def __init__(self, node: onnx.NodeProto, values: KnownValues, *, opset: int):
        if opset < OLDEST_OPSET:
            raise UnsupportedError(f"its definition needs opset {OLDEST_OPSET} or newer, but the file has {opset}")
        self.node, self.opset, self._values = node, opset, values
        self.nodes: list[onnx.NodeProto] = []
        given = values.element_type(node.input[0])
        self.element = given if given in FLOATS else TensorProto.FLOAT
        self._given = given

    @property
    def dtype(self) -> np.dtype:
        """The element type of the result for numpy."""
        return helper.tensor_dtype_to_np_dtype(self.element)

    def known(self, position: int) -> np.ndarray | None:
        """The value of an input of the node in ``dtype``, None where it is computed at run time."""
        value = self._values.of(self.node.input[position])
        return None if value is None else np.asarray(value).astype(self.dtype)

    def required(self, position: int, what: str) -> np.ndarray:
        """The value of an input; raises UnsupportedError where it is computed at run time."""
        value = self.known(position)
        if value is None:
            raise UnsupportedError(f"its {what} is computed at run time; export the network with a constant one")
        return value

    def whole(self, position: int, what: str) -> int:
        """The value of an input that is one whole number of 1 or more; raises UnsupportedError where it is not."""
        value = self.required(position, what)
        if value.size == 0 or (value != value.flat[0]).any() or not 1 <= value.flat[0] == int(value.flat[0]):
            raise UnsupportedError(f"its {what} is one whole number of at least 1 for all values, not {value.tolist()}")
        return int(value.flat[0])

    def attribute(self, name: str, default: int | float | str) -> int | float | str:
        """The value of an attribute of the node."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                value = helper.get_attribute_value(attribute)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def rank(self) -> int | None:
        """The number of dimensions of the first input, None where it is not known."""
        return self._values.rank(self.node.input[0])

    def x(self) -> str:
        """The first input, as the float type of the result."""
        return (
            self.node.input[0]
            if self._given == self.element
            else self.put("Cast", [self.node.input[0]], to=self.element)
        )

    def input(self, position: int) -> str:
        """Another input, in the element type of the result."""
        name = self.node.input[position]
        return name if self._values.element_type(name) == self.element else self.put("Cast", [name], to=self.element)

    def constant(self, value: np.ndarray | float, dtype: type | None = None) -> str:
        """A constant, of the element type of the result if nothing else is said."""
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        return self.put("Constant", [], value=numpy_helper.from_array(array))

    def put(self, op: str, inputs: Sequence[str | float | np.ndarray], output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output; numbers and arrays among ``inputs`` become constants."""
        names = [operand if isinstance(operand, str) else self.constant(operand) for operand in inputs]
        output = output or f"{self.node.output[0]}/{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [output], name=output, **attributes))
        return output

    def finish(self, op: str, inputs: Sequence[str | float | np.ndarray], **attributes: Any) -> None:
        """Append the node that computes the result; it has the name of the node that it stands for."""
        self.put(op, inputs, self.node.output[0], **attributes)
        self.nodes[-1].name = self.node.name

    def at_least(self, x: str, threshold: np.ndarray | float) -> str:
        """``x >= threshold``, false for NaN; before opset 12 as ``x > the float below the threshold``."""
        limit = np.asarray(threshold, self.dtype)
        if self.opset >= 12:
            return self.put("GreaterOrEqual", [x, limit])
        return self.put("Greater", [x, np.nextafter(limit, self.dtype.type(-np.inf))])

    def along_axis(self, op: str, x: str, axis: int, **attributes: Any) -> str:
        """An operator whose axes became an input in opset 13: Unsqueeze or ReduceSum."""
        if self.opset < 13:
            return self.put(op, [x], axes=[axis], **attributes)
        return self.put(op, [x, self.constant(np.array([axis]), np.int64)], **attributes)

    def round(self, x: str) -> str:
        """The nearest whole number, the even one of two."""
        if self.opset >= 11:
            return self.put("Round", [x])
        down = self.put("Floor", [x])
        rest = self.put("Sub", [x, down])
        odd = self.put("Sub", [down, self.put("Mul", [self.put("Floor", [self.put("Mul", [down, 0.5])]), 2.0])])
        half = self.constant(0.5)
        tie_to_odd = self.put(
            "And", [self.put("Not", [self.put("Less", [rest, half])]), self.put("Greater", [odd, half])]
        )
        up = self.put("Or", [self.put("Greater", [rest, half]), tie_to_odd])
        return self.put("Add", [down, self.put("Cast", [up], to=self.element)])
