"""Convolutions and matrix products of integers:

    QLinearConv  ->  Cast(Clip(Round(Conv(x - zx, w - zw, bias) * (sx * sw / sy)) + zy, low, high))

The sums are whole numbers in float32, exact below 2^24, and the scales are multiplied as onnxruntime does.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext, node_attributes

_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def qlinear_conv(context: QuantizedContext) -> None:
    """The form above; scales and zero points of the weights are one number, or one for each output channel.

    Raises UnsupportedError for other scales and zero points, and for weights whose shape is not known.
    """
    x, xs, xz, w, ws, wz, ys, yz, bias = (context.input(position) for position in range(9))
    weight_rank = context.rank(w)
    if weight_rank is None:
        raise UnsupportedError("the shape of its weights is not known; store them in the file")
    for name, what in ((xs, "input scale"), (xz, "input zero point"), (ys, "scale"), (yz, "zero point")):
        context.one_number(name, what)
    inputs = [context.centred(x, xz, None), context.centred(w, wz, 0)]
    if bias:
        inputs.append(context.whole_numbers(bias))
    sums = context.put_layer("Conv", inputs, **node_attributes(context.node, *_CONV))
    ratio = _ratio(context, xs, ws, ys, (-1,) + (1,) * (weight_rank - 2))
    scaled = context.put_before("Mul", [sums, ratio], "scaled")
    context.round_to(scaled, yz, context.element_type(yz), context.node.output[0], axis=None, like=x)


def qlinear_matmul(context: QuantizedContext) -> None:
    """The same with MatMul; scales and zero points of b are one number, or one for each column."""
    a, scale_a, zero_a, b, scale_b, zero_b, ys, yz = (context.input(position) for position in range(8))
    for name, what in ((scale_a, "scale of a"), (zero_a, "zero point of a"), (ys, "scale"), (yz, "zero point")):
        context.one_number(name, what)
    sums = context.put_layer("MatMul", [context.centred(a, zero_a, None), context.centred(b, zero_b, -1)])
    scaled = context.put_before("Mul", [sums, _ratio(context, scale_a, scale_b, ys, (-1,))], "scaled")
    context.round_to(scaled, yz, context.element_type(yz), context.node.output[0], axis=None, like=a)


def q_gemm(context: QuantizedContext) -> None:
    """QGemm of com.microsoft: (a - za) @ (b - zb) + c, quantized where it has a scale.

    Raises UnsupportedError for an alpha other than 1, by which the operator multiplies the product.
    """
    a, scale_a, zero_a, b, scale_b, zero_b, c, ys, yz = (context.input(position) for position in range(9))
    for name, what in ((scale_a, "scale of a"), (zero_a, "zero point of a")):
        context.one_number(name, what)
    transposed = bool(context.get("transB", 0))
    inputs = [context.centred(a, zero_a, None), context.centred(b, zero_b, 0 if transposed else 1)]
    if c:
        inputs.append(context.whole_numbers(c))
    flags = node_attributes(context.node, "transA", "transB")
    alpha = context.get("alpha", 1.0)
    sums = context.put_layer("Gemm", inputs, **flags)
    if alpha != 1.0:
        raise UnsupportedError(f"its alpha is {alpha:g}; only 1 can be compiled")
    scaled = context.put_before("Mul", [sums, _ratio(context, scale_a, scale_b, ys, (-1,))], "scaled")
    if ys:
        context.round_to(scaled, yz, context.element_type(yz), context.node.output[0], axis=None, like=a)
    else:
        context.become("Identity", [scaled])


def conv_integer(context: QuantizedContext) -> None:
    """Conv(x - zx, w - zw) as int32."""
    x, w, xz, wz = (context.input(position) for position in range(4))
    context.one_number(xz, "zero point")
    inputs = [context.centred(x, xz, None), context.centred(w, wz, 0)]
    _integer_sums(context, context.put_layer("Conv", inputs, **node_attributes(context.node, *_CONV)))


def matmul_integer(context: QuantizedContext) -> None:
    """MatMul(a - za, b - zb) as int32."""
    a, b, zero_a, zero_b = (context.input(position) for position in range(4))
    context.one_number(zero_a, "zero point of a")
    inputs = [context.centred(a, zero_a, None), context.centred(b, zero_b, -1)]
    _integer_sums(context, context.put_layer("MatMul", inputs))


def _integer_sums(context: QuantizedContext, sums: str) -> None:
    context.floats[context.node.output[0]] = sums
    context.become("Cast", [sums], to=TensorProto.INT32)


def _ratio(context: QuantizedContext, x: str, w: str, y: str, shape: tuple[int, ...]) -> str:
    """x * w / y, or x * w without y; ``shape`` is that of scales of which there are several."""
    values = [context.value(name) for name in (x, w, y) if name]
    if any(value is None for value in values):
        product = context.put_before("Mul", [x, w], "scales")
        return context.put_before("Div", [product, y], "ratio") if y else product
    first, weights, *last = (value.astype(np.float32) for value in values if value is not None)
    ratio = first.reshape(()) * weights / (last[0].reshape(()) if last else np.float32(1))
    return context.constant("ratio", ratio.reshape(() if weights.size == 1 else shape).astype(np.float32))
