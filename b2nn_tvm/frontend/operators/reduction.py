"""What is computed along an axis and TVM lacks: ReduceMax and ReduceMin of bool, which is whether any is true, and
whether all are; CumSum and CumProd; TopK.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_operators import MOST_PAIRS
from b2nn_tvm.frontend.operators.node import Attrs, Converter, Inputs, const, dtype_of, given, sizes
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


def cumulative(operator: Callable[..., relax.Expr], neutral: int) -> Converter:
    """A converter for sums or products of all elements so far along an axis: the tensor is combined with itself,
    shifted by 1, 2, 4 and so on, where ``neutral`` comes in.

    The converter raises UnsupportedError for an axis that is computed at run time.
    """

    def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
        data, axis = inputs[0], constant(inputs[1])
        if axis is None:
            raise UnsupportedError("its axis is no constant; only static shapes can be compiled")
        place = int(axis.reshape(-1)[0]) % len(sizes(data))
        extent, backwards = sizes(data)[place], bool(attrs.get("reverse", 0))
        result = _shifted(bb, data, 1, place, backwards, neutral) if attrs.get("exclusive", 0) else data
        step = 1
        while step < extent:
            result = bb.emit(operator(result, _shifted(bb, result, step, place, backwards, neutral)))
            step *= 2
        return result

    return convert


def _shifted(
    bb: relax.BlockBuilder, data: relax.Expr, step: int, axis: int, backwards: bool, neutral: int
) -> relax.Expr:
    """The data moved by ``step`` elements towards the end of an axis, or ``backwards``; ``neutral`` comes in."""
    shape = sizes(data)
    full = [step if place == axis else size for place, size in enumerate(shape)]
    filled = const(np.full(full, neutral, dtype_of(data)))
    if step == shape[axis]:
        return filled
    begin = step if backwards else 0
    kept = bb.emit(relax.op.strided_slice(data, [axis], [begin], [begin + shape[axis] - step]))
    return bb.emit(relax.op.concat([kept, filled] if backwards else [filled, kept], axis))


def top_k(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """The k largest or smallest elements along an axis, in order, and their indices; the first of equal ones comes
    first. The place of each element is the number of those that come before it, for which all pairs are compared.

    Raises UnsupportedError where k is computed at run time, or where there are too many pairs.
    """
    x, count = inputs[0], constant(inputs[1])
    if count is None:
        raise UnsupportedError("its k is no constant; only static shapes can be compiled")
    shape = sizes(x)
    axis, k = int(attrs.get("axis", -1)) % len(shape), int(count.reshape(-1)[0])
    size = shape[axis]
    pairs = int(np.prod(shape)) * size
    if pairs > MOST_PAIRS:
        raise UnsupportedError(
            f"it compares {pairs} pairs of elements, but {MOST_PAIRS} can be compiled; end the network before it, and "
            "compute it on the output"
        )
    numbers = np.arange(size, dtype=np.int64)
    rows, columns = (bb.emit(relax.op.expand_dims(x, place)) for place in (axis + 1, axis))
    wins = relax.op.greater if attrs.get("largest", 1) else relax.op.less
    earlier = (numbers[None] < numbers[:, None]).reshape(1, *(1,) * axis, size, size, *(1,) * (len(shape) - axis - 1))
    equal = bb.emit(relax.op.logical_and(bb.emit(relax.op.equal(columns, rows)), const(earlier[0])))
    before = bb.emit(relax.op.logical_or(bb.emit(wins(columns, rows)), equal))
    places = bb.emit(relax.op.sum(bb.emit(relax.op.astype(before, "int64")), axis + 1))
    along = [-1 if place == axis else 1 for place in range(len(shape) + 1)]
    wanted = bb.emit(relax.op.equal(bb.emit(relax.op.expand_dims(places, axis)), const(numbers[:k].reshape(along))))
    along[axis], along[axis + 1] = 1, -1
    chosen = bb.emit(relax.op.where(wanted, const(numbers.reshape(along)), const(np.int64(0))))
    indices = bb.emit(relax.op.sum(chosen, axis + 1))
    return relax.Tuple([bb.emit(relax.op.gather_elements(x, indices, axis)), indices])
