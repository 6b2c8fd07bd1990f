"""Write the quantized operators of a model as float arithmetic, in which all later steps read them.

    QuantizeLinear -> MaxPool -> DequantizeLinear   becomes   Div, Round, Clip -> MaxPool -> Sub, Mul

Integers between two of them are whole numbers in float32, so no kernel for integers is needed. So is what a Clip makes
of them, by which Brevitas writes codes of fewer than 8 bits. Where something else reads the integers, a Cast makes
them.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_graph import node_label
from b2nn_tvm.frontend.graph.node_context import NodeContext
from b2nn_tvm.frontend.graph.value_types import value_types
from b2nn_tvm.frontend.quantized import linear, microsoft, products, transformers
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext

_STANDARD = {
    "ConvInteger": products.conv_integer,
    "DequantizeLinear": linear.dequantize_linear,
    "DynamicQuantizeLinear": linear.dynamic_quantize_linear,
    "MatMulInteger": products.matmul_integer,
    "QLinearConv": products.qlinear_conv,
    "QLinearMatMul": products.qlinear_matmul,
    "QuantizeLinear": linear.quantize_linear,
}
_MICROSOFT = {
    "DequantizeLinear": linear.dequantize_linear,
    "FusedConv": microsoft.fused_conv,
    "FusedGemm": microsoft.fused_gemm,
    "FusedMatMul": microsoft.fused_matmul,
    "QGemm": products.q_gemm,
    "QLinearAdd": microsoft.binary("Add"),
    "QLinearAveragePool": microsoft.unary(
        "AveragePool", "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"
    ),
    "QLinearConcat": microsoft.concat,
    "QLinearGlobalAveragePool": microsoft.unary("GlobalAveragePool"),
    "QLinearLeakyRelu": microsoft.unary("LeakyRelu", "alpha"),
    "QLinearMul": microsoft.binary("Mul"),
    "QLinearSigmoid": microsoft.unary("Sigmoid"),
    "QLinearSoftmax": microsoft.softmax,
    "QuantizeLinear": linear.quantize_linear,
    "QuickGelu": microsoft.quick_gelu,
    "SkipLayerNormalization": transformers.skip_layer_norm,
}
# Operators that only move or select elements, and compute the same on whole numbers in float32.
_MOVING = frozenset(
    {
        *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice"),
        *("SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    }
)
Expansion = Callable[[QuantizedContext], None]


def expand_quantized(model: onnx.ModelProto) -> None:
    """Expand the quantized operators of the model's graph in place; raises InputError or UnsupportedError, naming the
    node, for those that cannot be compiled.
    """
    if not any(map(_expansion, model.graph.node)):
        return
    types = value_types(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)} | types.keys()
    floats: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for index, node in enumerate(model.graph.node):
        expand = _expansion(node)
        if node.op_type == "Clip" and node.input[0] in floats:
            expand = linear.clip
        if expand is not None:
            context = QuantizedContext(node, types, taken, constants, floats)
            try:
                expand(context)
            except (InputError, UnsupportedError) as error:
                raise type(error)(f"{node_label(node, index)}: {error}") from None
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # of no sense
                raise InputError(f"{node_label(node, index)} cannot be computed: {error}; export it again") from None
            added = [*context.before, node, *context.after]
        elif node.op_type == "Cast" and node.input[0] in floats and _to_float(node):
            node.op_type, node.input[0] = "Identity", floats[node.input[0]]
            del node.attribute[:]
            added = [node]
        else:
            added = _moved(NodeContext(node, types, taken), floats)
            constants |= _constants(node)
        for each in added:  # inference does not know the types behind operators of onnxruntime's domain
            if each.op_type == "Cast" and each.output[0] in floats:
                types.setdefault(each.output[0], helper.make_tensor_type_proto(each.attribute[0].i, None).tensor_type)
        nodes += added
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _expansion(node: onnx.NodeProto) -> Expansion | None:
    if node.domain in ("", "ai.onnx"):
        return _STANDARD.get(node.op_type)
    return _MICROSOFT.get(node.op_type) if node.domain == "com.microsoft" else None


def _constants(node: onnx.NodeProto) -> dict[str, onnx.TensorProto]:
    """The tensor of a Constant node under the name of its output; none for other nodes."""
    if node.op_type != "Constant":
        return {}
    values = (attribute.t for attribute in node.attribute if attribute.name == "value")
    return dict(zip(node.output, values))


def _to_float(node: onnx.NodeProto) -> bool:
    return any(each.name == "to" and each.i == TensorProto.FLOAT for each in node.attribute)


def _moved(context: NodeContext, floats: dict[str, str]) -> list[onnx.NodeProto]:
    """The node, on float32 where its integers are there in float32, too, with Casts for who reads its integers."""
    node = context.node
    data = list(node.input) if node.op_type == "Concat" else list(node.input[:1])
    indices = node.op_type == "MaxPool" and len(node.output) > 1
    standard = node.op_type in _MOVING and node.domain in ("", "ai.onnx")
    if not standard or indices or not data or not all(name in floats for name in data):
        return [node]
    element = helper.np_dtype_to_tensor_dtype(context.dtype(data[0]))
    for position, name in enumerate(data):
        node.input[position] = floats[name]
    for position, name in enumerate(node.output):
        if name:
            node.output[position] = floats[name] = context.new_name("float")
            context.put_after("Cast", [node.output[position]], name, to=element)
    return [node, *context.after]
