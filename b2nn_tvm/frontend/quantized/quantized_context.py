"""One quantized node that is being expanded: constants by value, and integers that are there in float32 as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.graph.node_context import NodeContext

_LIMITS: dict[int, tuple[int, int]] = {
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT16: (-32768, 32767),
}


class QuantizedContext(NodeContext):
    """``constants`` are the tensors of the file, and ``floats`` the names under which integers are there in float32."""

    def __init__(
        self,
        node: onnx.NodeProto,
        types: Mapping[str, onnx.TypeProto.Tensor],
        taken: set[str],
        constants: Mapping[str, onnx.TensorProto],
        floats: dict[str, str],
    ) -> None:
        super().__init__(node, types, taken)
        self._tensors = constants
        self.floats = floats

    def value(self, name: str) -> np.ndarray | None:
        """The value of a constant, None for what is computed."""
        tensor = self._tensors.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def input(self, position: int) -> str:
        """The name of an input, "" where it is left out."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def whole_numbers(self, name: str) -> str:
        """Integers as float32."""
        value = self.value(name)
        if value is not None:
            return self.constant("float", value.astype(np.float32))
        return self.floats.get(name) or self.put_before("Cast", [name], "float", to=TensorProto.FLOAT)

    def centred(self, name: str, zero_point: str, axis: int | None) -> str:
        """Integers less their zero point, which is one number or one for each index of ``axis``, as float32."""
        zero = self.value(zero_point) if zero_point else np.zeros(1)
        value = self.value(name)
        if zero is not None and value is not None:
            shaped = _along(zero, value.ndim, axis)
            return self.constant("centred", value.astype(np.float32) - shaped.astype(np.float32))
        x = self.whole_numbers(name)
        if zero is None:
            shift = self._spread(self.whole_numbers(zero_point), zero_point, name, axis)
        elif zero.any():
            shift = self.constant("zero_point", self._shaped(zero, name, axis))
        else:
            return x
        return self.put_before("Sub", [x, shift], "centred")

    def scale(self, name: str, like: str, axis: int | None) -> str:
        """A scale in float32, shaped so that it stands along ``axis`` of the value ``like``."""
        value = self.value(name)
        return (
            self._spread(name, name, like, axis)
            if value is None
            else self.constant("scale", self._shaped(value, like, axis))
        )

    def _shaped(self, value: np.ndarray, like: str, axis: int | None) -> np.ndarray:
        """A constant scale or zero point as float32, shaped so that it stands along ``axis`` of the value ``like``."""
        rank = self.rank(like)
        if rank is None and value.size > 1:
            raise UnsupportedError(f"the shape of {like!r} is not known, so its scales cannot be placed")
        return _along(value, rank or 0, axis).astype(np.float32)

    def _spread(self, value: str, typed_as: str, like: str, axis: int | None) -> str:
        """``value`` with dimensions of 1 behind its only one; ``typed_as`` has its shape."""
        rank, whole = self.rank(typed_as), self.rank(like)
        if rank == 0 or axis is None:
            return value
        if rank != 1 or not whole:
            raise UnsupportedError("the shapes of its scale or zero point are not known; store them in the file")
        behind = whole - 1 - axis % whole
        if not behind:
            return value
        axes = self.constant("axes", np.arange(1, 1 + behind))
        return self.put_before("Unsqueeze", [value, axes], "spread")

    def round_to(self, ratio: str, zero_point: str, element: int, output: str, *, axis: int | None, like: str) -> None:
        """Make the node ``saturate(round(ratio) + zero point)`` in the integer type ``element``.

        Raises UnsupportedError for types other than integers of 8 or 16 bits.
        """
        if element not in _LIMITS:
            name = TensorProto.DataType.Name(element).lower()
            raise UnsupportedError(f"it quantizes to {name}; integers of 8 or 16 bits can be compiled")
        low, high = _LIMITS[element]
        rounded = self.put_before("Round", [ratio], "rounded")
        zero = self.value(zero_point) if zero_point else np.zeros(1)
        if zero is None:
            shaped = self._spread(self.whole_numbers(zero_point), zero_point, like, axis)
            rounded = self.put_before("Add", [rounded, shaped], "shifted")
        elif zero.any():
            shift = self.constant("shift", self._shaped(zero, like, axis))
            rounded = self.put_before("Add", [rounded, shift], "shifted")
        bounds = [self.constant(word, np.float32(bound)) for word, bound in (("low", low), ("high", high))]
        clipped = self.put_before("Clip", [rounded, *bounds], "clipped")
        self.floats[output] = clipped
        self.become("Cast", [clipped], to=element)

    def element_type(self, name: str) -> int:
        """The element type of a value; uint8 where it is left out or not known."""
        tensor = self._tensors.get(name)
        if tensor is not None:
            return tensor.data_type
        known = self._types.get(name)
        return known.elem_type if known is not None and known.elem_type else TensorProto.UINT8

    def one_number(self, name: str, what: str) -> None:
        """Raise InputError where ``name`` holds several numbers."""
        value = self.value(name)
        if value is not None and value.size != 1:
            raise InputError(f"its {what} is one number, but {value.size} came")


def _along(value: np.ndarray, rank: int, axis: int | None) -> np.ndarray:
    """A scalar, or numbers for each index of ``axis``, shaped to broadcast against ``rank`` dimensions."""
    if value.size == 1:
        return value.reshape(())
    if axis is None or value.ndim != 1 or not rank:
        raise InputError(f"a scale or zero point is one number, or one for each channel, not of shape {value.shape}")
    return value.reshape((-1,) + (1,) * (rank - 1 - axis % rank))


def node_attributes(node: onnx.NodeProto, *names: str) -> dict[str, Any]:
    """Those of the attributes that the node has."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute if each.name in names}
