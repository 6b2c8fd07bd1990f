"""A plan applied to a float ONNX network without training, to learn how fast it would be:

    Conv(x, w, b)   becomes   Conv(sign(x), signs(w)) * alpha + b,  alpha = mean |w| per output channel

Groups stay groups, and each has a box sum of its own where filters have two values.

The signs and weights are written as in the "plain" form of this project's exporter (export/binary_functions.py), which
every opset and every runtime has. The answers are not those of the float network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.fold_constants import inferred_shapes
from b2nn_tvm.frontend.match_plan import match_plan
from b2nn_tvm.frontend.onnx_convolutions import static_graph
from b2nn_tvm.frontend.read_unactivated import read_unactivated
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.reference.two_values import two_values
from b2nn_tvm.workload import ConvWorkload

LATENCY_ONLY = (
    "for latency only: layers of a float network were made binary without training, so the answers are not those of "
    "the float network"
)
_COMPARED_AT = 12  # the first opset with GreaterOrEqual


def binarize_onnx(
    model: onnx.ModelProto,
    plan: Plan,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
) -> onnx.ModelProto:
    """A copy of ``model``, of opset 11 or newer, in which the convolutions that ``plan`` chooses are binary.

    Shapes become static as in ``import_onnx``. Of the plan's ``conversion``, the binarizer, the padding and the
    activation "relu" have an effect; every other activation keeps the sign, so it is left out before a sign. Thresholds
    are 0. Raises InputError where the plan does not fit the file, or a shape other than the batch is open.
    """
    pad_value = plan.conversion.get("pad_value", 0)
    if pad_value not in (0, 1, -1):
        raise InputError(f"the plan pads binary layers with {pad_value!r}; expected 0, 1 or -1")
    static = static_graph(model, input_shapes=input_shapes, sign_zero=sign_zero)
    precisions = match_plan(plan, static.convolutions)
    graph = static.model.graph
    binary = [name for name, precision in precisions.items() if precision == Precision.BINARY]
    if plan.conversion.get("activation") != "relu":
        read_unactivated(graph, binary)
    workloads = {conv.name: conv.workload for conv in static.convolutions}
    writer = _Writer(static.model, str(plan.conversion.get("binarizer", "xnor")), int(pad_value))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        workload = workloads.get(node.name)
        if node.name in precisions and workload is not None:
            nodes += writer.binary_form(node, workload, signed=node.name in binary)
        else:
            nodes.append(node)
    _replace_nodes(static.model, nodes)
    return static.model


def latency_note(plan: Plan) -> str:
    """The note that goes with a network that ``plan`` made binary: the worth of its answers, and what was left out."""
    left_out = "; the plan's learned thresholds need training and are left at 0"
    return LATENCY_ONLY + (left_out if plan.conversion.get("learned_threshold") else "")


class _Writer:
    """Writes the binary forms of convolutions; their new constants go to the model's initializers."""

    def __init__(self, model: onnx.ModelProto, binarizer: str, pad_value: int) -> None:
        self._graph, self._binarizer, self._pad_value = model.graph, binarizer, pad_value
        self._opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
        self._taken |= self._constants.keys()
        self._signs: dict[str, str] = {}

    def binary_form(self, node: onnx.NodeProto, workload: ConvWorkload, *, signed: bool) -> list[onnx.NodeProto]:
        """The nodes in place of the Conv ``node``; with ``signed`` its input becomes binary as well as its weights."""
        nodes: list[onnx.NodeProto] = []
        image = node.input[0]
        geometry: dict[str, Any] = {
            "pads": workload.padding,
            "strides": workload.stride,
            "dilations": workload.dilation,
            "group": workload.groups,
        }
        if signed:
            image = self._sign(image, nodes)
            if self._pad_value and any(workload.padding):
                image = self._pad(node.name, image, workload, nodes)
                del geometry["pads"]
        values = two_values(numpy_helper.to_array(self._constants[node.input[1]]), self._binarizer)
        convolve = partial(self._scaled_conv, nodes, image, geometry)
        y = convolve(node.name, values.signs, values.scale)
        if values.offset is not None:
            box_sum = self._box_sum(node.name, convolve, values.signs, values.offset, workload.groups, nodes)
            y = self._emit(nodes, "Add", [y, box_sum], f"{node.name}/two_values")
        if len(node.input) > 2 and node.input[2]:
            y = self._emit(nodes, "Add", [y, self._bias(node, nodes)], f"{node.name}/biased")
        nodes[-1].output[0] = node.output[0]
        return nodes

    def _sign(self, x: str, nodes: list[onnx.NodeProto]) -> str:
        """+1 where x >= 0 and -1 elsewhere; all convolutions that read x share it."""
        if x not in self._signs:
            zero, one, minus_one = (self._constant(f"{x}/{value:g}", np.float32(value)) for value in (0, 1, -1))
            if self._opset < _COMPARED_AT:
                below = self._emit(nodes, "Less", [x, zero], f"{x}/below")
                self._signs[x] = self._emit(nodes, "Where", [below, minus_one, one], f"{x}/sign")
            else:
                positive = self._emit(nodes, "GreaterOrEqual", [x, zero], f"{x}/positive")
                self._signs[x] = self._emit(nodes, "Where", [positive, one, minus_one], f"{x}/sign")
        return self._signs[x]

    def _pad(self, name: str, image: str, workload: ConvWorkload, nodes: list[onnx.NodeProto]) -> str:
        top, left, bottom, right = workload.padding
        pads = self._constant(f"{name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
        value = self._constant(f"{name}/pad_value", np.float32(self._pad_value))
        return self._emit(nodes, "Pad", [image, pads, value], f"{name}/padded")

    def _scaled_conv(
        self,
        nodes: list[onnx.NodeProto],
        image: str,
        geometry: Mapping[str, Any],
        name: str,
        weight: np.ndarray,
        scale: np.ndarray,
    ) -> str:
        """conv(image, weight) * scale, by nodes of this name."""
        inputs = [image, self._constant(f"{name}/signs", weight)]
        sums = self._fresh(f"{name}/sums")
        nodes.append(helper.make_node("Conv", inputs, [sums], name=name, **geometry))
        per_channel = self._constant(f"{name}/scale", scale[:, None, None])
        return self._emit(nodes, "Mul", [sums, per_channel], f"{name}/scaled")

    def _box_sum(
        self,
        name: str,
        convolve: Callable[[str, np.ndarray, np.ndarray], str],
        signs: np.ndarray,
        offset: np.ndarray,
        groups: int,
        nodes: list[onnx.NodeProto],
    ) -> str:
        """The convolution by one filter of ones, that all filters of a group share, times the offset of each filter."""
        if groups == 1:
            return convolve(f"{name}.box_sum", np.ones_like(signs[:1]), offset)
        sums = convolve(f"{name}.box_sum", np.ones_like(signs[:groups]), np.ones(groups, np.float32))
        group_of = self._constant(f"{name}/group_of", np.arange(len(signs)) // (len(signs) // groups))
        spread = self._fresh(f"{name}/box_sums")
        nodes.append(helper.make_node("Gather", [sums, group_of], [spread], name=spread, axis=1))
        return self._emit(
            nodes, "Mul", [spread, self._constant(f"{name}/offset", offset[:, None, None])], f"{name}/offsets"
        )

    def _bias(self, node: onnx.NodeProto, nodes: list[onnx.NodeProto]) -> str:
        bias = self._constants.get(node.input[2])
        if bias is not None:
            return self._constant(f"{node.name}/bias", numpy_helper.to_array(bias)[:, None, None])
        shape = self._constant(f"{node.name}/bias_shape", np.array([-1, 1, 1]))
        return self._emit(nodes, "Reshape", [node.input[2], shape], f"{node.name}/bias")

    def _emit(self, nodes: list[onnx.NodeProto], op: str, inputs: list[str], name: str) -> str:
        output = self._fresh(name)
        nodes.append(helper.make_node(op, inputs, [output], name=output))
        return output

    def _constant(self, name: str, value: np.ndarray | np.generic) -> str:
        tensor = numpy_helper.from_array(np.asarray(value), self._fresh(name))
        self._graph.initializer.append(tensor)
        return tensor.name

    def _fresh(self, name: str) -> str:
        count, unique = 1, name
        while unique in self._taken:
            count += 1
            unique = f"{name}#{count}"
        self._taken.add(unique)
        return unique


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Put ``nodes`` in place of the model's, without those that are not read, and without unread initializers."""
    graph = model.graph
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(nodes):
        if read & set(node.output):
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
            read |= set(node.input)
    initializers = [tensor for tensor in graph.initializer if tensor.name in read]
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in read or value.name not in constants]
    for field, values in (("node", kept[::-1]), ("initializer", initializers), ("input", inputs), ("value_info", [])):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    shapes = inferred_shapes(model)
    for value in graph.output:
        for size in shapes.get(value.name, ()):
            value.type.tensor_type.shape.dim.add().dim_value = size
