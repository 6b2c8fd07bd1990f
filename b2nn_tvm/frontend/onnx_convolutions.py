"""The 2-D convolutions of an ONNX graph: their names, their shapes, and which of them may become binary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from b2nn_tvm.costs.eligibility import Operation, Role, group_obstacle, ineligible
from b2nn_tvm.frontend.fold_constants import fold_constants, inferred_shapes
from b2nn_tvm.frontend.operators.spatial import explicit_padding
from b2nn_tvm.frontend.read_onnx import name_nodes
from b2nn_tvm.frontend.static_shapes import input_shapes as static_shapes
from b2nn_tvm.provenance.layer_names import is_sign_times_scale
from b2nn_tvm.workload import ConvWorkload

ACTIVATIONS = (
    *("Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu"),
    *("Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"),
)
_BINARY = {"BinaryConv2d": "already binary", "WeightBinaryConv2d": "its weights are already binary"}


@dataclass(frozen=True)
class OnnxConvolution:
    """One Conv of a graph; ``name`` is that of its node, by which the compiled network knows the layer, too.

    ``names`` are all names that a plan may use for it. ``obstacle`` says why it has no binary form at all; ``reason``
    says why it may not become binary: the obstacle, or its place in the network (see costs.eligibility).
    """

    name: str
    names: tuple[str, ...]
    workload: ConvWorkload | None
    obstacle: str
    reason: str


@dataclass(frozen=True)
class StaticGraph:
    """A model whose shapes are fixed and whose constants are initializers, and its convolutions in graph order."""

    model: onnx.ModelProto
    convolutions: tuple[OnnxConvolution, ...]

    @property
    def eligible(self) -> tuple[str, ...]:
        """The names of the convolutions that may become binary."""
        return tuple(conv.name for conv in self.convolutions if not conv.reason)


def static_graph(
    model: onnx.ModelProto,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
) -> StaticGraph:
    """A copy of ``model`` with static shapes and folded constants, and what is known of its convolutions.

    A layer has the names of its node and of its weights, with and without ".weight" at the end, and the path of modules
    that torch's older exporter makes of node names ("/layer1/layer1.0/conv1/Conv": "layer1.0.conv1"). Raises InputError
    where a shape other than the batch is open.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    name_nodes(copy.graph)
    names = {node.name: _names(node, copy.graph) for node in copy.graph.node if node.op_type == "Conv"}
    static = fold_constants(copy, static_shapes(copy, input_shapes), sign_zero=sign_zero)
    known = {tensor.name: tensor for tensor in static.graph.initializer}
    shapes = {**inferred_shapes(static), **{name: tuple(tensor.dims) for name, tensor in known.items()}}
    readers = Counter(node.input[1] for node in static.graph.node if node.op_type == "Conv")
    operations = _operations(static.graph, known, shapes, readers)
    reasons = ineligible(tuple(operations.values()))
    convolutions = []
    for node in static.graph.node:
        if node.op_type == "Conv" and operations[node.name].role == Role.CONVOLUTION:
            obstacle = _obstacle(node, known, shapes)
            reason = reasons.get(node.name, "")
            workload = _workload(node, shapes)
            convolutions.append(OnnxConvolution(node.name, names[node.name], workload, obstacle, reason))
    return StaticGraph(static, tuple(convolutions))


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The values of a node's attributes by name; texts are bytes."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def _names(node: onnx.NodeProto, graph: onnx.GraphProto) -> tuple[str, ...]:
    """All names of a Conv; its weights may come through Identity nodes, each of which gives them another name."""
    producers = {output: each for each in graph.node for output in each.output}
    found = [node.name, *filter(None, [_module_path(node.name)])]
    weight = node.input[1]
    while weight:
        found += [weight, weight.removesuffix(".weight")]
        source = producers.get(weight)
        weight = source.input[0] if source is not None and source.op_type == "Identity" else ""
    return tuple(dict.fromkeys(found))


def _module_path(name: str) -> str:
    """The module of a node "/layer1/layer1.0/conv1/Conv", where a part may repeat the part before; "" for others."""
    if not name.startswith("/"):
        return ""
    parts: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        if parts and part.startswith(parts[-1] + "."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def _operations(
    graph: onnx.GraphProto,
    known: Mapping[str, onnx.TensorProto],
    shapes: Mapping[str, tuple[int, ...]],
    readers: Mapping[str, int],
) -> dict[str, Operation]:
    """The graph as the rule of eligibility sees it, by the names of the nodes; the network's inputs come first."""
    inputs = {value.name: f"input {value.name}" for value in graph.input if value.name not in known}
    found = {name: Operation(name) for name in inputs.values()}
    producers = dict(inputs)
    for node in graph.node:
        sources = tuple(dict.fromkeys(producers[name] for name in node.input if name in producers))
        role, kernel, stride, obstacle = _role(node, known, shapes), (0, 0), (1, 1), _BINARY.get(node.op_type, "")
        if node.op_type == "Conv" and role == Role.CONVOLUTION:
            workload = _workload(node, shapes)
            kernel, stride = (workload.kernel, workload.stride) if workload else (kernel, stride)
            obstacle = _obstacle(node, known, shapes)
            if not obstacle and readers[node.input[1]] > 1:
                obstacle = "called more than once: its weights are shared"
            if not obstacle and is_sign_times_scale(numpy_helper.to_array(known[node.input[1]])):
                obstacle = "its weights are already binary"
        found[node.name] = Operation(node.name, sources, role, kernel, stride, obstacle)
        producers |= dict.fromkeys(node.output, node.name)
    return found


def _role(node: onnx.NodeProto, known: Mapping[str, onnx.TensorProto], shapes: Mapping[str, tuple[int, ...]]) -> Role:
    if node.op_type in _BINARY or (node.op_type == "Conv" and len(shapes.get(node.input[1], (0,) * 4)) == 4):
        return Role.CONVOLUTION
    if node.op_type in ("Gemm", "MatMul") and len(known[node.input[1]].dims if node.input[1] in known else ()) == 2:
        return Role.LINEAR
    products = node.op_type in ("Einsum", "Gemm", "MatMul") and not known.keys().isdisjoint(node.input)
    if products or node.op_type in ("Conv", "ConvTranspose"):
        return Role.WEIGHTED
    if node.op_type in ("Add", "Sum"):
        return Role.ADDITION
    if node.op_type == "BatchNormalization":
        return Role.BATCH_NORM
    return Role.ACTIVATION if node.op_type in ACTIVATIONS else Role.OTHER


def _obstacle(
    node: onnx.NodeProto, known: Mapping[str, onnx.TensorProto], shapes: Mapping[str, tuple[int, ...]]
) -> str:
    weight = known.get(node.input[1])
    if weight is None:
        return "its weights are computed at run time"
    if weight.data_type != onnx.TensorProto.FLOAT:
        return f"its weights are {onnx.TensorProto.DataType.Name(weight.data_type).lower()}, not float"
    workload = _workload(node, shapes)
    if workload is None:
        return "the shape of its input is not known"
    if obstacle := group_obstacle(workload.groups, workload.in_channels):
        return obstacle
    return "" if np.isfinite(numpy_helper.to_array(weight)).all() else "some of its weights are not finite"


def _workload(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> ConvWorkload | None:
    image, weight = shapes.get(node.input[0], ()), shapes.get(node.input[1], ())
    if len(image) != 4 or len(weight) != 4:
        return None
    given = attributes(node)
    kernel = (weight[2], weight[3])
    stride, dilation = (tuple(given.get(name, (1, 1))) for name in ("strides", "dilations"))
    top, left, bottom, right = explicit_padding(given, image[2:], kernel, stride, dilation)
    return ConvWorkload(
        *image,
        out_channels=weight[0],
        kernel=kernel,
        stride=(stride[0], stride[1]),
        padding=(top, left, bottom, right),
        dilation=(dilation[0], dilation[1]),
        groups=given.get("group", 1),
    )
