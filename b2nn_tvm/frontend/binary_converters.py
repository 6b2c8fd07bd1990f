"""The converters to Relax of the ONNX operators of binary networks: BinaryConv2d and WeightBinaryConv2d, and Sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.operators.node import const

Inputs = Sequence[relax.Expr]  # of a node; None stands for an optional input that is left out
Attrs = dict[str, Any]
Converter = Callable[[relax.BlockBuilder, Inputs, Attrs], relax.Expr | None]


def binary_conv2d(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """b2nn::BinaryConv2d(x, packed weights, scale, threshold): the canonical form itself.

    Raises InputError for inputs and attributes that are not those of the operator.
    """
    if len(inputs) != 4:
        raise InputError(f"it has the inputs x, weight, scale and threshold, but {len(inputs)} came")
    threshold = _required(inputs[3], "threshold")

    def signs(x: relax.Expr, channels: int) -> relax.Expr:
        _check_per_channel("threshold", threshold, channels)
        if threshold.any():
            x = bb.emit(relax.op.subtract(x, relax.const(threshold.reshape(1, -1, 1, 1))))
        return bb.emit(relax.op.sign(x))

    return _packed_conv2d(bb, inputs[:3], attrs, signs)


def weight_binary_conv2d(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """b2nn::WeightBinaryConv2d(x, packed weights, scale): a convolution by weights of -1 and +1, and the scale.

    Raises InputError for inputs and attributes that are not those of the operator.
    """
    if len(inputs) != 3:
        raise InputError(f"it has the inputs x, weight and scale, but {len(inputs)} came")
    return _packed_conv2d(bb, inputs, attrs, lambda x, channels: x)


def _packed_conv2d(
    bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs, image: Callable[[relax.Expr, int], relax.Expr]
) -> relax.Expr:
    """A convolution by packed weights, times the scale; ``image(x, channels)`` is the tensor that is padded and
    convolved.
    """
    x = inputs[0]
    weight, scale = (_required(expr, name) for expr, name in zip(inputs[1:], ("weight", "scale")))
    kernel = _ints(attrs, "kernel_shape", 2, None)
    strides, dilations = _ints(attrs, "strides", 2, (1, 1)), _ints(attrs, "dilations", 2, (1, 1))
    pads = _ints(attrs, "pads", 4, (0, 0, 0, 0), at_least=0)
    (channels,) = _ints({"channels": (attrs.get("channels", 0),)}, "channels", 1, None)
    (groups,) = _ints({"group": (attrs.get("group", 1),)}, "group", 1, None)
    pad_value = float(attrs.get("pad_value", 0.0))
    sizes = [int(d) for d in x.ty.shape]
    if str(x.ty.dtype) != "float32" or len(sizes) != 4 or sizes[1] != channels * groups:
        raise InputError(f"x is float32 [N, {channels * groups}, H, W], but {x.ty.dtype} {sizes} came")
    expected = (*kernel, -(-channels // 8))
    if weight.dtype != np.uint8 or weight.shape[1:] != expected:
        raise InputError(
            f"weight is uint8 [O, {', '.join(map(str, expected))}], but {weight.dtype} {list(weight.shape)} came"
        )
    if len(weight) % groups:
        raise InputError(f"weight has the same number of filters in each of {groups} groups, but {len(weight)} came")
    if channels % 8 and (weight[..., -1] >> (channels % 8)).any():
        raise InputError(f"the unused bits of weight behind its {channels} channels are 0, but some are 1")
    if pad_value not in (0.0, 1.0, -1.0):
        raise InputError(f"pad_value is 0, 1 or -1, not {pad_value:g}")
    _check_per_channel("scale", scale, weight.shape[0])
    x = image(x, channels * groups)
    if pad_value and any(pads):
        top, left, bottom, right = pads
        x = bb.emit(relax.op.nn.pad(x, [0, 0, 0, 0, top, bottom, left, right], "constant", pad_value))
        pads = (0, 0, 0, 0)
    dense = reference.unpack(weight, channels).transpose(0, 3, 1, 2).astype(np.float32)
    conv = relax.op.nn.conv2d(
        x,
        relax.const(np.ascontiguousarray(dense)),
        strides,
        pads,
        dilations,
        groups,
        data_layout="NCHW",
        kernel_layout="OIHW",
    )
    return relax.op.multiply(bb.emit(conv), relax.const(scale.reshape(1, -1, 1, 1)))


def _check_per_channel(name: str, value: np.ndarray, count: int) -> None:
    if value.shape != (count,) or value.dtype != np.float32 or not np.isfinite(value).all():
        raise InputError(f"{name} is float32 [{count}] and finite, but {value.dtype} {list(value.shape)} came")


def sign(sign_zero: str | None) -> Converter:
    """Sign as arithmetic, because R.sign marks a sign that is +1 at 0: ``where(x > 0, 1, where(x < 0, -1, x))``, which
    is 0 at 0 and NaN at NaN, or with the value ``sign_zero`` at 0.
    """

    def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
        (x,) = inputs
        zero, one, minus_one = (const(v, str(x.ty.dtype)) for v in (0, 1, -1))
        if sign_zero == "+1":
            return relax.op.where(bb.emit(relax.op.greater_equal(x, zero)), one, minus_one)
        above = bb.emit(relax.op.greater(x, zero))
        if sign_zero == "-1":
            return relax.op.where(above, one, minus_one)
        below = bb.emit(relax.op.where(bb.emit(relax.op.less(x, zero)), minus_one, x))
        return relax.op.where(above, one, below)

    return convert


def constant(expr: relax.Expr | None) -> np.ndarray | None:
    """The value of an input that is a constant, None for any other input."""
    return expr.value.numpy() if isinstance(expr, GenericConst) else None


def _required(expr: relax.Expr, name: str) -> np.ndarray:
    value = constant(expr)
    if value is None:
        raise InputError(f"its {name} is an initializer or a constant, but it is computed at run time here")
    return value


def _ints(
    attrs: Mapping[str, Any], name: str, count: int, default: tuple[int, ...] | None, at_least: int = 1
) -> tuple[int, ...]:
    value = attrs.get(name, default)
    if value is None or len(value) != count or min(value) < at_least:
        raise InputError(f"{name} is {count} integers of at least {at_least}, but {value} came")
    return tuple(int(v) for v in value)
