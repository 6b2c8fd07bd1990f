"""Gather, GatherElements, GatherND and OneHot: indices that count from the end, and such as point nowhere.

ONNX calls an index outside of the data an error. One in the file is refused; one that comes at run time reads the
nearest element that there is, so that no library reads memory of others. OneHot gives the off value for it, as ONNX has
it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import relax

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, sizes
from b2nn_tvm.relax_query import constant

_SMALL_TABLE = 16


def gather(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Slices of the data along an axis; shapes, which are no tensors, are left to TVM."""
    data, indices = inputs
    if not isinstance(data.ty, relax.TensorType) or not isinstance(indices.ty, relax.TensorType):
        return None
    axis = int(attrs.get("axis", 0)) % max(1, len(sizes(data)))
    front = _from_front(bb, indices, [sizes(data)[axis]])
    table = constant(data)
    if table is not None and table.ndim == 1 and 1 < table.size <= _SMALL_TABLE and constant(indices) is None:
        return _looked_up(bb, table, front)
    return relax.op.take(data, front, axis, mode="clip")


def gather_elements(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """One element of the data for each index, along an axis."""
    data, indices = inputs
    axis = int(attrs.get("axis", 0)) % len(sizes(data))
    return relax.op.gather_elements(data, _from_front(bb, indices, [sizes(data)[axis]]), axis)


def gather_nd(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Slices of the data, one for each row of indices, as one Gather along the axes that the rows index."""
    data, indices = inputs
    batch_dims = int(attrs.get("batch_dims", 0))
    shape, rows = sizes(data), sizes(indices)
    indexed = shape[batch_dims : batch_dims + rows[-1]]
    front = _from_front(bb, indices, indexed)
    strides = np.append(np.cumprod(indexed[:0:-1])[::-1], 1).astype(np.int64)
    kind = "int64"
    front = bb.emit(relax.op.astype(front, kind)) if dtype_of(front) != kind else front
    flat = bb.emit(relax.op.sum(bb.emit(relax.op.multiply(front, const(strides))), [len(rows) - 1]))
    batches, rest = shape[:batch_dims], shape[batch_dims + rows[-1] :]
    count, every = int(np.prod(batches)), int(np.prod(indexed))
    if count > 1:  # the rows of the first batch element come before those of the next one
        offsets = np.arange(count, dtype=np.int64).reshape(*batches, *(1,) * (len(rows) - 1 - batch_dims)) * every
        flat = bb.emit(relax.op.add(flat, const(offsets)))
    return relax.op.take(bb.emit(relax.op.reshape(data, [count * every, *rest])), flat, 0, mode="clip")


def one_hot(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """A comparison of the indices with the numbers along the new axis. TVM's converter gives float64 for all types.

    Raises UnsupportedError where the depth is no constant.
    """
    indices, values = inputs[0], inputs[2]
    depth = constant(inputs[1])
    if depth is None:
        raise UnsupportedError("its depth is no constant; only static shapes can be compiled")
    count, rank, kind = int(depth.reshape(-1)[0]), len(sizes(indices)) + 1, dtype_of(indices)
    axis = int(attrs.get("axis", -1)) % rank
    numbers = const(np.arange(count).astype(kind).reshape([-1 if place == axis else 1 for place in range(rank)]))
    front = bb.emit(relax.op.expand_dims(_counted_from_front(bb, indices, [count]), [axis]))
    pair = constant(values)
    off, on = (
        const(np.array(pair[place]))
        if pair is not None
        else bb.emit(relax.op.squeeze(bb.emit(relax.op.strided_slice(values, [0], [place], [place + 1])), [0]))
        for place in (0, 1)
    )
    return relax.op.where(bb.emit(relax.op.equal(front, numbers)), on, off)


def _looked_up(bb: relax.BlockBuilder, table: np.ndarray, indices: relax.Expr) -> relax.Expr:
    """The numbers of a small table as comparisons, by which a table of -1 and +1 is known as a sign."""
    result = const(table[0])
    for index, value in enumerate(table[1:], 1):
        reached = bb.emit(relax.op.greater_equal(indices, const(np.array(index, dtype_of(indices)))))
        result = bb.emit(relax.op.where(reached, const(value), result))
    return result


def _from_front(bb: relax.BlockBuilder, indices: relax.Expr, extents: Sequence[int]) -> relax.Expr:
    """The indices, counted from the front and kept inside; each has an extent, or each along the last axis.

    Raises InputError where a constant index lies outside.
    """
    limit, value = np.array(extents if len(extents) > 1 else extents[0]), constant(indices)
    if value is None:
        kind = dtype_of(indices)
        front = _counted_from_front(bb, indices, extents)
        front = bb.emit(relax.op.minimum(front, const((limit - 1).astype(kind))))
        return bb.emit(relax.op.maximum(front, const(np.zeros((), kind))))
    if ((value < -limit) | (value >= limit)).any():
        raise InputError(f"its indices lie between {-limit} and {limit - 1}, but {value.min()} to {value.max()} came")
    return const(np.where(value < 0, value + limit, value).astype(value.dtype))


def _counted_from_front(bb: relax.BlockBuilder, indices: relax.Expr, extents: Sequence[int]) -> relax.Expr:
    kind = dtype_of(indices)
    if not kind.startswith("int"):
        return indices
    limit = const(np.array(extents if len(extents) > 1 else extents[0], kind))
    negative = bb.emit(relax.op.less(indices, const(np.zeros((), kind))))
    return bb.emit(relax.op.where(negative, bb.emit(relax.op.add(indices, limit)), indices))
