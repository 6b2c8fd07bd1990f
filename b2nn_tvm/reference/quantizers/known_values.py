"""The values and types in a graph that are known before it runs: initializers and what small nodes make of them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

_MOST = 2**20  # elements of a value that is worth computing here: a scale or a threshold for each channel
_DEEPEST = 16  # nodes between an initializer and a value


class KnownValues:
    """What is known of the values of ``model``.

    The operators called ``elementwise``, which are of other domains, keep the shape of their first input.
    """

    def __init__(self, model: onnx.ModelProto, elementwise: Collection[str]):
        graph = model.graph
        self._opsets = list(model.opset_import)
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._producers = {name: node for node in graph.node for name in node.output}
        self._values: dict[str, np.ndarray | None] = {}
        self._types = _types(model, elementwise)

    def of(self, name: str, depth: int = 0) -> np.ndarray | None:
        """The value of this name, None where it is computed at run time or large."""
        if name not in self._values:
            self._values[name] = self._compute(name, depth)
        return self._values[name]

    def element_type(self, name: str) -> int:
        """The number of the element type; float32 where it is not known."""
        if name in self._initializers:
            return int(self._initializers[name].data_type)
        value = self._types.get(name)
        return int(value.elem_type) if value is not None and value.elem_type else int(TensorProto.FLOAT)

    def rank(self, name: str) -> int | None:
        """The number of dimensions, None where it is not known."""
        if name in self._initializers:
            return len(self._initializers[name].dims)
        value = self._types.get(name)
        return len(value.shape.dim) if value is not None and value.HasField("shape") else None

    def _compute(self, name: str, depth: int) -> np.ndarray | None:
        if name in self._initializers:
            tensor = self._initializers[name]
            return numpy_helper.to_array(tensor) if np.prod(tensor.dims, dtype=np.int64) <= _MOST else None
        node = self._producers.get(name)
        if node is None or node.domain not in ("", "ai.onnx") or depth > _DEEPEST or len(node.output) > 1:
            return None
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            return numpy_helper.to_array(node.attribute[0].t)
        names = [operand for operand in node.input if operand]
        values = {operand: value for operand in names if (value := self.of(operand, depth + 1)) is not None}
        return self._run(node, values) if len(values) == len(set(names)) else None

    def _run(self, node: onnx.NodeProto, values: dict[str, np.ndarray]) -> np.ndarray | None:
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), None)
            for name, v in values.items()
        ]
        graph = helper.make_graph([node], "constant", inputs, [helper.make_empty_tensor_value_info(node.output[0])])
        try:
            (result,) = ReferenceEvaluator(helper.make_model(graph, opset_imports=self._opsets)).run(None, values)
        except Exception:  # noqa: BLE001 - what the evaluator cannot compute is not known
            return None
        return np.asarray(result) if isinstance(result, np.ndarray | np.generic) and np.size(result) <= _MOST else None


def _types(model: onnx.ModelProto, elementwise: Collection[str]) -> dict[str, onnx.TypeProto.Tensor]:
    """The types of the values, as far as onnx infers them: for that, quantizers are Identity, whose type is theirs."""
    told = onnx.ModelProto()
    told.CopyFrom(model)
    for node in told.graph.node:
        if node.op_type in elementwise and node.domain not in ("", "ai.onnx"):
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    try:
        graph = shape_inference.infer_shapes(told).graph
    except (shape_inference.InferenceError, ValueError):  # the file is checked, and its nodes are named, elsewhere
        graph = told.graph
    return {value.name: value.type.tensor_type for value in (*graph.input, *graph.value_info, *graph.output)}
