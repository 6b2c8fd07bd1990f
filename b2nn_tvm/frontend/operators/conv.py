"""Conv: 2-D convolutions with explicit padding, and the bias as an addition of [1, O, 1, 1]."""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, given, sizes
from b2nn_tvm.frontend.operators.spatial import explicit_padding
from b2nn_tvm.relax_query import constant


def conv(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """A convolution over images; other ones are left to TVM."""
    x, weight = inputs[0], inputs[1]
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


def add_bias(result: relax.Expr, bias: relax.Expr | None) -> relax.Expr:
    """The result [N, O, ...] of a convolution plus its bias [O]."""
    if bias is None:
        return result
    value, full = constant(bias), (1, -1) + (1,) * (len(sizes(result)) - 2)
    return relax.op.add(result, relax.op.reshape(bias, full) if value is None else const(value.reshape(full)))
