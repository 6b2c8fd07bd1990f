"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear in float arithmetic:

    QuantizeLinear(x, s, z)    ->  Cast(Clip(Round(x / s) + z, low, high))
    DequantizeLinear(q, s, z)  ->  (Cast(q) - z) * s

Round is to the nearest, halves to even, as the standard says.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext

_INTEGERS = frozenset(
    {
        *(TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16, TensorProto.INT32),
        *(TensorProto.INT4, TensorProto.UINT4),
    }
)


def dequantize_linear(context: QuantizedContext) -> None:
    """(Cast(q) - z) * s; what has scales for blocks, or codes of less than 4 bits or float8, is left alone, and must be
    a constant.

    Raises UnsupportedError where it is none.
    """
    q, scale, zero_point = (context.input(position) for position in range(3))
    if context.get("block_size", 0):
        if context.value(q) is None:
            raise UnsupportedError("it has scales for blocks; only constants with such scales can be compiled")
        return  # a constant, which is computed when the file is read
    element = context.element_type(q)
    if element not in _INTEGERS:
        if context.value(q) is None:
            kind = TensorProto.DataType.Name(element).lower()
            raise UnsupportedError(f"it reads {kind}; only integers, and constants of this type, can be compiled")
        return
    axis = context.get("axis", 1)
    centred = context.centred(q, zero_point, axis)
    context.become("Mul", [centred, context.scale(scale, q, axis)])


def quantize_linear(context: QuantizedContext) -> None:
    """Cast(Clip(Round(x / s) + z, low, high)); uint8 where neither a zero point nor an attribute says the type.

    Raises UnsupportedError for scales of blocks, and for other types than integers of 8 or 16 bits.
    """
    x, scale, zero_point = (context.input(position) for position in range(3))
    if context.get("block_size", 0):
        raise UnsupportedError("it has scales for blocks, which cannot be compiled; quantize per tensor or per axis")
    axis = context.get("axis", 1)
    element = context.element_type(zero_point) if zero_point else context.get("output_dtype", 0) or TensorProto.UINT8
    if context.dtype(x).kind in "iu":
        x = context.whole_numbers(x)
    ratio = context.put_before("Div", [x, context.scale(scale, x, axis)], "ratio")
    context.round_to(ratio, zero_point, element, context.node.output[0], axis=axis, like=context.input(0))


def clip(context: QuantizedContext) -> None:
    """A Clip of integers that are there in float32, too: on these, with a Cast for who reads its integers."""
    element = context.element_type(context.input(0))
    bounds = [name and context.whole_numbers(name) for name in context.node.input[1:]]
    clipped = context.put_before("Clip", [context.floats[context.input(0)], *bounds], "clipped")
    context.floats[context.node.output[0]] = clipped
    context.become("Cast", [clipped], to=element)


def dynamic_quantize_linear(context: QuantizedContext) -> None:
    """The scale spreads the range of x, which includes 0, over 0 to 255."""
    (x,) = context.node.input
    outputs = [*context.node.output, "", ""][:3]
    zero, one, most = (context.constant(word, np.float32(v)) for word, v in (("zero", 0), ("one", 1), ("most", 255)))
    high = context.put_before("Max", [context.put_before("ReduceMax", [x], "max", keepdims=0), zero], "high")
    low = context.put_before("Min", [context.put_before("ReduceMin", [x], "min", keepdims=0), zero], "low")
    span = context.put_before("Sub", [high, low], "span")
    flat = context.put_before("Equal", [span, zero], "flat")
    step = context.put_before("Div", [span, most], "step")
    scale = context.put_before("Where", [flat, one, step], "scale")
    start = context.put_before("Div", [context.put_before("Neg", [low], "below"), scale], "start")
    shift = context.put_before("Clip", [context.put_before("Round", [start], "shift"), zero, most], "zero_point")
    ratio = context.put_before("Div", [x, scale], "ratio")
    shifted = context.put_before("Add", [context.put_before("Round", [ratio], "rounded"), shift], "shifted")
    clipped = context.put_before("Clip", [shifted, zero, most], "clipped")
    context.floats[outputs[0]] = clipped
    del context.node.output[1:]
    context.become("Cast", [clipped], to=TensorProto.UINT8)
    if outputs[1]:
        context.put_after("Identity", [scale], outputs[1])
    if outputs[2]:
        context.floats[outputs[2]] = shift
        context.put_after("Cast", [shift], outputs[2], to=TensorProto.UINT8)
