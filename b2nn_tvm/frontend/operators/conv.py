"""Conv: 2-D convolutions with explicit padding, and the bias as an addition of [1, O, 1, 1]."""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, given, sizes
from b2nn_tvm.frontend.operators.spatial import explicit_padding
from b2nn_tvm.relax_query import constant


def conv(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """A convolution over images; other ones are left to TVM. Raises InputError where attributes fit other weights."""
    x, weight = inputs[0], inputs[1]
    _check_attributes(attrs, sizes(weight)[2:])
    if len(sizes(x)) != 4:
        return None
    strides = tuple(attrs.get("strides", (1, 1)))
    dilations = tuple(attrs.get("dilations", (1, 1)))
    pads = explicit_padding(attrs, sizes(x)[2:], sizes(weight)[2:], strides, dilations)
    result = bb.emit(
        relax.op.nn.conv2d(
            x, weight, strides, pads, dilations, attrs.get("group", 1), data_layout="NCHW", kernel_layout="OIHW"
        )
    )
    return add_bias(result, given(inputs, 2))


def _check_attributes(attrs: Attrs, kernel: list[int]) -> None:
    expected = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 2}
    for name, times in expected.items():
        given_values = list(attrs.get(name, ()))
        if given_values and len(given_values) != times * len(kernel):
            raise InputError(f"its {name} are {given_values}, but its weights have {len(kernel)} axes of space")
    if attrs.get("kernel_shape") and list(attrs["kernel_shape"]) != kernel:
        raise InputError(f"its kernel_shape is {list(attrs['kernel_shape'])}, but its weights are for {kernel}")


def add_bias(result: relax.Expr, bias: relax.Expr | None) -> relax.Expr:
    """The result [N, O, ...] of a convolution plus its bias [O]."""
    if bias is None:
        return result
    value, full = constant(bias), (1, -1) + (1,) * (len(sizes(result)) - 2)
    return relax.op.add(result, relax.op.reshape(bias, full) if value is None else const(value.reshape(full)))
