"""ScatterND and ScatterElements whose indices are known, as x[:, 1] = y leaves them: every element has one source.

    y = take(concat(data, updates), sources)                      one element of the two for each element of y
    y = where(met, data + take(updates, sources), data)           with a reduction, once for each repetition of an index

TVM computes them by calls into its own runtime, which no library has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import relax

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, sizes, word
from b2nn_tvm.relax_query import constant

_REDUCTIONS: dict[str, Callable[..., relax.Expr]] = {
    "add": relax.op.add,
    "mul": relax.op.multiply,
    "max": relax.op.maximum,
    "min": relax.op.minimum,
}
_MOST_REPETITIONS = 16
_PLACES = np.int32  # no value of a network has 2^31 elements


def scatter_nd(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Slices of the data replaced by, or combined with, the updates, one for each row of indices.

    Raises UnsupportedError where the indices are no constant, InputError where they lie outside.
    """
    data, _, updates = inputs
    shape, rows = sizes(data), _indices(inputs)
    count = rows.shape[-1]
    front = _from_front(rows.reshape(-1, count), np.array(shape[:count]))
    flat = np.ravel_multi_index(tuple(front.T), shape[:count]) if count else np.zeros(len(front), np.int64)
    size = int(np.prod(shape[count:]))
    targets = flat[:, None] * size + np.arange(size)
    return _scattered(bb, data, updates, targets.reshape(-1), word(attrs, "reduction", "none"))


def scatter_elements(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Elements of the data replaced by, or combined with, the updates, one for each index along an axis.

    Raises UnsupportedError where the indices are no constant, InputError where they lie outside.
    """
    data, _, updates = inputs
    shape, along = sizes(data), _indices(inputs)
    axis = int(attrs.get("axis", 0)) % len(shape)
    places: list[np.ndarray] = list(np.indices(along.shape))
    places[axis] = _from_front(along, np.array(shape[axis]))
    targets = np.ravel_multi_index(tuple(places), shape)
    return _scattered(bb, data, updates, targets.reshape(-1), word(attrs, "reduction", "none"))


def _indices(inputs: Inputs) -> np.ndarray:
    found = constant(inputs[1])
    if found is None:
        raise UnsupportedError("its indices are computed at run time; only constant ones can be compiled")
    return found.astype(np.int64)


def _from_front(indices: np.ndarray, limits: np.ndarray) -> np.ndarray:
    if ((indices < -limits) | (indices >= limits)).any():
        raise InputError(f"its indices lie between {-limits} and {limits - 1}, but others came")
    return np.asarray(np.where(indices < 0, indices + limits, indices))


def _scattered(
    bb: relax.BlockBuilder, data: relax.Expr, updates: relax.Expr, targets: np.ndarray, reduction: str
) -> relax.Expr:
    """``targets`` are the places in the flat data of the flat updates."""
    shape, count = sizes(data), int(np.prod(sizes(data)))
    flat = bb.emit(relax.op.reshape(data, [count]))
    given = bb.emit(relax.op.reshape(updates, [len(targets)]))
    if reduction == "none":
        sources = np.arange(count)
        sources[targets] = count + np.arange(len(targets))  # of several updates of one element the last is taken
        both = bb.emit(relax.op.concat([flat, given], 0))
        return relax.op.reshape(bb.emit(relax.op.take(both, const(sources.astype(_PLACES)), 0, mode="clip")), shape)
    if reduction not in _REDUCTIONS:
        raise InputError(f"its reduction {reduction!r} is none of none, {', '.join(_REDUCTIONS)}")
    turns = _turns(targets)
    if turns.max(initial=0) >= _MOST_REPETITIONS:
        raise UnsupportedError(
            f"one element is updated more than {_MOST_REPETITIONS} times; replace it by a sum over a dense tensor"
        )
    for turn in range(turns.max(initial=-1) + 1):
        (chosen,) = np.nonzero(turns == turn)
        sources, met = np.zeros(count, np.int64), np.zeros(count, bool)
        sources[targets[chosen]], met[targets[chosen]] = chosen, True
        other = bb.emit(relax.op.take(given, const(sources.astype(_PLACES)), 0, mode="clip"))
        combined = bb.emit(_REDUCTIONS[reduction](flat, other))
        flat = bb.emit(relax.op.where(const(met), combined, flat))
    return relax.op.reshape(flat, shape)


def _turns(targets: np.ndarray) -> np.ndarray:
    """For each target how often it was there before."""
    order = np.argsort(targets, kind="stable")
    ordered = targets[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    lengths = np.diff(np.append(starts, len(ordered)))
    turns = np.empty(len(targets), np.int64)
    turns[order] = np.arange(len(ordered)) - np.repeat(starts, lengths)
    return turns
