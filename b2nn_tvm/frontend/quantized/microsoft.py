"""The quantized and fused operators of onnxruntime's own domain, com.microsoft, that its tools write into files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext, node_attributes

_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")
_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_ACTIVATIONS = {"Clip": 2, "HardSigmoid": 2, "LeakyRelu": 1, "Relu": 0, "Sigmoid": 0, "Tanh": 0}
_PARAMETERS = {"HardSigmoid": ("alpha", "beta"), "LeakyRelu": ("alpha",)}


def unary(op_type: str, *names: str) -> Callable[[QuantizedContext], None]:
    """The expansion of an operator (x, scale, zero point, scale of y, zero point of y), computed on real numbers.

    ``names`` are the attributes that it shares with ONNX's operator. The expansion raises UnsupportedError where the
    node's channels stand last.
    """

    def expand(context: QuantizedContext) -> None:
        if context.get("channels_last", 0):
            raise UnsupportedError("its channels stand last; only channels first can be compiled")
        attributes = node_attributes(context.node, *names)
        y = context.put_before(op_type, [_real(context, 0)], "real", **attributes)
        _quantized(context, y, 3)

    return expand


def binary(op_type: str) -> Callable[[QuantizedContext], None]:
    """The expansion of an operator of two such inputs."""

    def expand(context: QuantizedContext) -> None:
        y = context.put_before(op_type, [_real(context, 0), _real(context, 3)], "real")
        _quantized(context, y, 6)

    return expand


def softmax(context: QuantizedContext) -> None:
    """QLinearSoftmax of opset 13 and later, or over the last axis, where older opsets mean the same.

    Raises UnsupportedError for an older one over several axes.
    """
    axis, rank = context.get("axis", -1), context.rank(context.input(0))
    if context.get("opset", 0) < 13 and axis != -1 and (rank is None or axis % rank != rank - 1):
        raise UnsupportedError("it goes over several axes, as before opset 13; quantize the network with a newer opset")
    unary("Softmax", "axis")(context)


def concat(context: QuantizedContext) -> None:
    """QLinearConcat (scale of y, zero point of y, x1, scale, zero point, x2, ...)."""
    parts = [_real(context, position) for position in range(2, len(context.node.input), 3)]
    y = context.put_before("Concat", parts, "real", **node_attributes(context.node, "axis"))
    _quantized(context, y, 0)


def fused_conv(context: QuantizedContext) -> None:
    """FusedConv: a convolution, the addition of another tensor, and an activation."""
    y = context.put_layer(
        "Conv", [name for name in context.node.input[:3] if name], **node_attributes(context.node, *_CONV)
    )
    if context.input(3):
        y = context.put_before("Add", [y, context.input(3)], "sum")
    _activated(context, y)


def fused_gemm(context: QuantizedContext) -> None:
    """FusedGemm: a Gemm and an activation."""
    flags = node_attributes(context.node, "alpha", "beta", "transA", "transB")
    _activated(context, context.put_layer("Gemm", list(context.node.input), **flags))


def fused_matmul(context: QuantizedContext) -> None:
    """FusedMatMul: the product of two tensors, either with its last two axes exchanged, times ``alpha``.

    Raises UnsupportedError where the first axis takes part in that, or where the number of axes is not known.
    """
    factors = []
    for position, letter in enumerate("AB"):
        name, rank = context.input(position), context.rank(context.input(position))
        if context.get(f"transBatch{letter}", 0) or (context.get(f"trans{letter}", 0) and rank is None):
            raise UnsupportedError("axes of batches are exchanged in it; save the file without optimizations")
        if context.get(f"trans{letter}", 0) and rank is not None and rank > 1:
            order = [*range(rank - 2), rank - 1, rank - 2]
            name = context.put_before("Transpose", [name], f"transposed_{letter.lower()}", perm=order)
        factors.append(name)
    y = context.put_layer("MatMul", factors)
    context.become("Mul", [y, context.constant("alpha", np.float32(context.get("alpha", 1.0)))])


def quick_gelu(context: QuantizedContext) -> None:
    """QuickGelu: ``x * sigmoid(alpha * x)``."""
    (x,) = context.node.input
    inner = context.put_before("Mul", [x, context.constant("alpha", np.float32(context.get("alpha", 1.702)))], "inner")
    context.become("Mul", [x, context.put_before("Sigmoid", [inner], "gate")])


def _activated(context: QuantizedContext, y: str) -> None:
    op = context.get("activation", b"").decode(errors="replace")
    values = list(context.get("activation_params", ())) or [
        value for name in ("activation_alpha", "activation_beta") if (value := context.get(name)) is not None
    ]
    if not op:
        context.become("Identity", [y])
    elif op not in _ACTIVATIONS or len(values) < _ACTIVATIONS[op]:
        raise UnsupportedError(f"it is fused with {op}, which cannot be compiled; save the file without optimizations")
    elif op == "Clip":
        context.become(
            "Clip", [y, *(context.constant(word, np.float32(v)) for word, v in zip(("low", "high"), values))]
        )
    else:
        context.become(op, [y], **dict(zip(_PARAMETERS.get(op, ()), values)))


def _real(context: QuantizedContext, position: int) -> str:
    """The real numbers that the integers at ``position`` stand for, by the scale and zero point behind them."""
    q, scale, zero_point = (context.input(position + step) for step in range(3))
    for name, what in ((scale, "scale"), (zero_point, "zero point")):
        context.one_number(name, what)
    return context.put_before(
        "Mul", [context.centred(q, zero_point, None), context.scale(scale, q, None)], "real_input"
    )


def _quantized(context: QuantizedContext, y: str, position: int) -> None:
    """Quantize y by the scale and zero point at ``position``."""
    scale, zero_point = context.input(position), context.input(position + 1)
    for name, what in ((scale, "scale"), (zero_point, "zero point")):
        context.one_number(name, what)
    ratio = context.put_before("Div", [y, context.scale(scale, y, None)], "ratio")
    element = context.element_type(zero_point)
    context.round_to(ratio, zero_point, element, context.node.output[0], axis=None, like=y)
