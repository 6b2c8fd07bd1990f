"""ReduceMax and ReduceMin of bool: whether any is true, and whether all are."""

from __future__ import annotations

from collections.abc import Callable

from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Converter, Inputs, dtype_of, given
from b2nn_tvm.relax_query import constant


def reduce_bools(operator: Callable[..., relax.Expr]) -> Converter:
    """A converter for bool, which TVM cannot reduce; numbers are left to TVM.

    The converter raises UnsupportedError for axes that are computed at run time.
    """

    def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
        if dtype_of(inputs[0]) != "bool":
            return None
        axes, named = attrs.get("axes"), given(inputs, 1)
        if named is not None:
            value = constant(named)
            if value is None:
                raise UnsupportedError("its axes are no constants; only static shapes can be compiled")
            axes = [int(axis) for axis in value]
        if not axes and attrs.get("noop_with_empty_axes", 0):
            return inputs[0]
        numbers = bb.emit(relax.op.astype(inputs[0], "uint8"))
        return relax.op.astype(bb.emit(operator(numbers, axes or None, bool(attrs.get("keepdims", 1)))), "bool")

    return convert
