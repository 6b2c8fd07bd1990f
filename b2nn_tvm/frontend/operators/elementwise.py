"""Operators on single elements: Max, Min, Sum and Mean of many inputs, and activations, casts and the like
that TVM lacks or has wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto
from tvm import relax

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Converter, Inputs, const, dtype_of, given, sizes
from b2nn_tvm.relax_query import constant

_NO_TYPES = ("BFLOAT16", "COMPLEX64", "COMPLEX128", "STRING")


def pairwise(operator: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Converter:
    """Max, Min and Sum of any number of inputs as a chain of binary operators, which broadcast by themselves."""

    def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
        result = inputs[0]
        for other in inputs[1:]:
            result = bb.emit(operator(result, other))
        return result

    return convert


def mean(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """The mean of any number of inputs, which broadcast, as a sum that is divided."""
    total = pairwise(relax.op.add)(bb, inputs, attrs)
    return relax.op.divide(bb.emit(total), const(len(inputs), dtype_of(inputs[0])))


def clip(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Clip to constant bounds as a maximum and a minimum."""
    bounds = [attrs.get("min"), attrs.get("max")]
    for position in (1, 2):
        if (bound := given(inputs, position)) is not None:
            value = constant(bound)
            if value is None:
                return None
            bounds[position - 1] = value.item()
    result = inputs[0]
    for operator, number in zip((relax.op.maximum, relax.op.minimum), bounds, strict=True):
        if number is not None and not np.isnan(number):  # onnxruntime takes NaN for unbounded
            result = bb.emit(operator(result, const(np.array(number, dtype_of(inputs[0])))))
    return result


def prelu(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """PRelu by one number; slopes per channel are left to TVM."""
    slope = constant(inputs[1])
    if slope is None or slope.size != 1:
        return None
    return relax.op.nn.leakyrelu(inputs[0], float(slope.item()))


def elu(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``, in the type of the input.

    TVM's forms add up parts that are 0 for many inputs, so that a sign behind them would seem to meet zeros often.
    """
    x, kind = inputs[0], dtype_of(inputs[0])
    curve = bb.emit(relax.op.subtract(bb.emit(relax.op.exp(x)), const(1, kind)))
    scaled = bb.emit(relax.op.multiply(curve, const(float(attrs.get("alpha", 1.0)), kind)))
    return relax.op.where(bb.emit(relax.op.greater(x, const(0, kind))), x, scaled)


def selu(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """``gamma * elu(x)``."""
    alpha, gamma = attrs.get("alpha", 1.6732632423543772), attrs.get("gamma", 1.0507009873554805)
    curve = bb.emit(elu(bb, inputs, {"alpha": alpha}))
    return relax.op.multiply(curve, const(float(gamma), dtype_of(inputs[0])))


def is_inf(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Whether a value is one of the infinities that are asked for; TVM's converter takes both."""
    x, zero = inputs[0], const(0, dtype_of(inputs[0]))
    result = bb.emit(relax.op.isinf(x))
    for name, compare in (("detect_negative", relax.op.greater), ("detect_positive", relax.op.less)):
        if not attrs.get(name, 1):
            result = bb.emit(relax.op.logical_and(result, bb.emit(compare(x, zero))))
    return result


def cast(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> None:
    """Raise UnsupportedError for the types that nothing here can compute with; the other ones are left to TVM."""
    to = attrs.get("to")
    name = TensorProto.DataType.Name(to) if isinstance(to, int) else str(to).upper()
    if name in _NO_TYPES or "FLOAT8" in name or "FLOAT4" in name or "INT4" in name or "INT2" in name:
        raise UnsupportedError(f"it casts to {name}; float16, float, double, bool and integers of 8 to 64 bits can be")


def expand(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """The input broadcast with a constant shape, which may be the smaller one of both; shapes that are no tensors are
    left to TVM.

    Raises InputError where the two do not fit, UnsupportedError where the shape is computed at run time.
    """
    shape = constant(inputs[1])
    if shape is None and isinstance(inputs[1].ty, relax.TensorType):
        raise UnsupportedError("the shape of its output depends on values; only static shapes can be compiled")
    if shape is None:
        return None
    try:
        wanted = np.broadcast_shapes(sizes(inputs[0]), tuple(map(int, shape)))
    except ValueError as error:
        raise InputError(f"its input {sizes(inputs[0])} cannot be broadcast with the shape {shape.tolist()}") from error
    return relax.op.broadcast_to(inputs[0], wanted)


def dropout(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Dropout does nothing in inference: it gives the input, and a mask of ones where the node has a second output.

    Raises UnsupportedError in training mode.
    """
    mode = given(inputs, 2)
    training = np.zeros(1) if mode is None else constant(mode)
    if training is None or training.any():
        raise UnsupportedError("dropout in training mode; export the model in inference mode (model.eval())")
    if attrs["tvm_custom"]["num_outputs"] == 1:
        return inputs[0]
    return relax.Tuple([inputs[0], const(np.ones(sizes(inputs[0]), bool))])
