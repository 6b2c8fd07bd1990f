"""Write the quantized operators of a model as float arithmetic, in which all later steps read them.

    QuantizeLinear -> MaxPool -> DequantizeLinear   becomes   Div, Round, Clip -> MaxPool -> Sub, Mul

Integers between two of them are whole numbers in float32, so no kernel for integers is needed. Where something else
reads the integers, a Cast makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx
from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_graph import node_label
from b2nn_tvm.frontend.graph.value_types import value_types
from b2nn_tvm.frontend.quantized import linear, microsoft, products
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
        if expand is not None:
            context = QuantizedContext(node, types, taken, constants, floats)
            try:
                expand(context)
            except (InputError, UnsupportedError) as error:
                raise type(error)(f"{node_label(node, index)}: {error}") from None
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
            ) as error:  # inputs and attributes of no sense
                raise InputError(f"{node_label(node, index)} cannot be computed: {error}; export it again") from None
            nodes += [*context.before, node, *context.after]
        elif node.op_type == "Cast" and node.input[0] in floats and _to_float(node):
            node.op_type, node.input[0] = "Identity", floats[node.input[0]]
            del node.attribute[:]
            nodes.append(node)
        else:
            nodes += _moved(node, types, floats)
        for tensor in context_constants(nodes[-1:]):
            constants[tensor.name] = tensor
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _expansion(node: onnx.NodeProto) -> Expansion | None:
    if node.domain in ("", "ai.onnx"):
        return _STANDARD.get(node.op_type)
    return _MICROSOFT.get(node.op_type) if node.domain == "com.microsoft" else None


def context_constants(nodes: list[onnx.NodeProto]) -> list[onnx.TensorProto]:
    """The tensors of Constant nodes under the names of their outputs."""
    found = []
    for node in nodes:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                tensor = onnx.TensorProto()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                found.append(tensor)
    return found


def _to_float(node: onnx.NodeProto) -> bool:
    return any(each.name == "to" and each.i == TensorProto.FLOAT for each in node.attribute)


def _moved(
    node: onnx.NodeProto, types: Mapping[str, onnx.TypeProto.Tensor], floats: dict[str, str]
) -> list[onnx.NodeProto]:
    """The node, on float32 where its integers are there in float32, too, with Casts for who reads its integers."""
    data = list(node.input) if node.op_type == "Concat" else list(node.input[:1])
    if node.op_type not in _MOVING or node.domain not in ("", "ai.onnx") or not all(name in floats for name in data):
        return [node]
    element = types[data[0]].elem_type if data[0] in types else TensorProto.UINT8
    for position, name in enumerate(data):
        node.input[position] = floats[name]
    casts = []
    for position, name in enumerate(node.output):
        if name:
            node.output[position] = floats[name] = f"{name}/float"
            casts.append(helper.make_node("Cast", [f"{name}/float"], [name], name=f"{name}/cast", to=element))
    return [node, *casts]
