"""Which values a tensor is sure to take often: all of its values where they are few, else those that are no accident.

A ReLU gives 0 for half of its inputs, a padding its constant, a sign -1 and +1: these are *structural* values. A float
convolution, a bias or a batch norm gives numbers of which none is more likely than another; that one of them is exactly
0, or another given number, is as good as a rounding error. Values pass through operators that only move data, and are
mapped one by one by elementwise operators. Sums of signs are integers, of which each is structural.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.patterns.elementwise import compute, is_elementwise
from b2nn_tvm.passes.patterns.moving_kernel import is_moving_kernel
from b2nn_tvm.passes.patterns.step_function import few_values
from b2nn_tvm.provenance.layer_names import split_sign_and_scale
from b2nn_tvm.relax_query import Definition, constant, dtype, op_name, shape

_MOST = 2**22  # values of a tensor that are kept
_FEW = 64

# Operators whose results are values of their first operand, or of all the tensors in it.
MOVES = frozenset(
    {
        *("relax.permute_dims", "relax.reshape", "relax.flatten", "relax.squeeze", "relax.expand_dims"),
        *("relax.strided_slice", "relax.take", "relax.gather_elements", "relax.gather_nd", "relax.flip"),
        *("relax.broadcast_to", "relax.tile", "relax.repeat", "relax.split", "relax.concat", "relax.stack"),
        *("relax.nn.max_pool2d", "relax.nn.batch_flatten", "relax.nn.pixel_shuffle", "relax.layout_transform"),
        *("relax.max", "relax.min"),
    }
)
# What keeps a 0 that all its inputs are, but no other value.
_KEEPS_ZERO = {
    *("relax.nn.avg_pool1d", "relax.nn.avg_pool2d", "relax.nn.avg_pool3d", "relax.nn.adaptive_avg_pool2d"),
    *("relax.mean", "relax.variance", "relax.sum", "relax.image.resize2d"),
    *("relax.nn.silu", "relax.nn.gelu", "relax.nn.gelu_tanh", "relax.nn.selu", "relax.erf", "relax.sin"),
}
_CONTINUOUS = {
    *("relax.nn.layer_norm", "relax.nn.group_norm", "relax.nn.instance_norm", "relax.nn.rms_norm"),
    *("relax.nn.softmax", "relax.nn.log_softmax", "relax.nn.conv2d_transpose", "relax.nn.conv1d"),
}
_PLACES = ("relax.argmax", "relax.argmin")
_BOUNDS = ("relax.maximum", "relax.minimum", "relax.clip", "relax.nn.relu")
_SUMS = ("relax.add", "relax.subtract")
_ROUNDS = ("relax.round", "relax.floor", "relax.ceil", "relax.trunc")


@dataclass(frozen=True, eq=False)
class Values:
    """The structural values of a tensor; ``others`` says that it has further ones, none of them structural.

    ``rows`` [C, K] are those of each channel (axis 1), [1, K] those of all; NaN stands for none.
    """

    rows: np.ndarray
    others: bool

    @cached_property
    def values(self) -> np.ndarray:
        """All of them, sorted."""
        found = np.unique(self.rows)
        return np.asarray(found[~np.isnan(found)])

    def within(self, begin: np.ndarray, end: np.ndarray, axis: int) -> bool:
        """Whether one lies from ``begin`` to before ``end``, both [1], or [C] along ``axis``."""
        if begin.size == 1 or (axis == 1 and len(self.rows) in (1, begin.size)):
            return bool(((self.rows >= begin[:, None]) & (self.rows < end[:, None])).any())
        return any(bool(((self.values >= low) & (self.values < high)).any()) for low, high in zip(begin, end))


_ZERO = Values(np.zeros((1, 1)), True)
_NONE = Values(np.zeros((1, 0)), True)
_TRUTH = Values(np.array([[0.0, 1.0]]), False)
_SIGNS = Values(np.array([[-1.0, 1.0]]), False)


class PossibleValues:
    """The values of the tensors of a function of ``module``, each computed when it is asked for the first time.

    ``definition`` looks up what the function's variables are bound to.
    """

    def __init__(self, definition: Definition, module: tvm.IRModule):
        self._definition = definition
        self._module = module
        self._found: dict[relax.Expr, Values | None] = {}

    def of(self, expr: relax.Expr) -> Values | None:
        """What is known of the values of a tensor; None where every value may be structural."""
        waiting = [self._definition(expr)]
        while waiting:
            value = waiting[-1]
            if value in self._found:
                waiting.pop()
                continue
            missing = [part for part in map(self._definition, _parts(value)) if part not in self._found]
            if missing:
                waiting += missing
                continue
            self._found[waiting.pop()] = self._values(value)
        return self._found[self._definition(expr)]

    def few(self, expr: relax.Expr) -> np.ndarray | None:
        """All values of a tensor, sorted, where there are a few; else None."""
        found = self.of(expr)
        if found is None or found.others or np.isnan(found.rows).any():
            return None
        return found.values if len(found.values) <= _FEW else None

    def _values(self, value: relax.Expr) -> Values | None:
        fixed = constant(value)
        if fixed is not None:
            return _of_constant(fixed, channels=fixed.ndim > 1 and fixed.size == fixed.shape[1])
        parts = [self._found[self._definition(part)] for part in _parts(value)]
        if not isinstance(value, relax.Call):
            return _union(parts) if parts else _of_input(value)
        name = op_name(value)
        if name == "relax.nn.max_pool2d" or is_nearest(value):
            return parts[0]
        if name in MOVES or is_moving_kernel(value, self._module):
            return _flattened(_union(parts))
        if name == "relax.nn.pad":
            if str(value.attrs.pad_mode) == "constant":
                parts.append(Values(np.full((1, 1), float(value.attrs.pad_value)), False))
            return _union(parts)
        if name in ("relax.nn.conv2d", "relax.matmul"):
            return _of_products(value, parts[0], constant(self._definition(value.args[1])))
        if is_elementwise(name, dtype(value)):
            return self._of_elementwise(value, name, parts)
        if name in _PLACES:
            return _of_places(value)
        if name in _CONTINUOUS:
            return _NONE
        if name in _KEEPS_ZERO and parts[0] is not None and parts[0].others:
            return _ZERO if (parts[0].rows == 0).any() else _NONE
        return None

    def _of_elementwise(self, call: relax.Call, name: str, parts: list[Values | None]) -> Values | None:
        if (
            any(part is None or part.others for part in parts)
            and (found := few_values(call, self._definition)) is not None
        ):
            return Values(found[None].astype(np.float64), False)
        known = [part for part in parts if part is not None]
        if name in _SUMS and any(part.others and not part.rows.size for part in known):
            return _NONE  # whatever is added to it
        if len(known) < len(parts):
            return None
        return _mapped(call, name, known)


def is_nearest(call: relax.Expr) -> bool:
    """Whether a call is a resize that repeats pixels."""
    return op_name(call) == "relax.image.resize2d" and str(call.attrs.method) == "nearest_neighbor"


def _parts(value: relax.Expr) -> Iterable[relax.Expr]:
    """The tensors that a value is made of."""
    if isinstance(value, relax.TupleGetItem):
        return (value.tuple_value,)
    if isinstance(value, relax.Tuple):
        return tuple(value.fields)
    if not isinstance(value, relax.Call):
        return ()
    if op_name(value) == "relax.call_tir":
        return (value.args[1],)
    if is_elementwise(op_name(value), dtype(value)):
        return tuple(arg for arg in value.args if isinstance(arg.ty, relax.TensorType))
    return tuple(value.args[:1])


def _of_constant(value: np.ndarray, *, channels: bool = False) -> Values:
    value = value.astype(np.float64)
    if channels:
        return Values(value.reshape(-1, 1), False)
    values = np.unique(value)
    return Values(values[None], False) if len(values) <= _MOST else _NONE


def _of_input(value: relax.Expr) -> Values | None:
    kind = dtype(value)
    return _TRUTH if kind == "bool" else _ZERO if kind.startswith("float") else None


def _of_places(call: relax.Call) -> Values | None:
    """The places along an axis: bits where there are two of them."""
    full, axis = shape(call.args[0]), call.attrs.axis
    count = int(np.prod(full)) if axis is None else full[int(axis)]
    return Values(np.arange(count, dtype=np.float64)[None], False) if count <= _FEW else None


def _union(parts: list[Values | None]) -> Values | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    others = any(part.others for part in known)
    count = max(len(part.rows) for part in known)
    if any(len(part.rows) not in (1, count) for part in known):
        known, count = [Values(part.values[None], part.others) for part in known], 1
    rows = [np.broadcast_to(part.rows, (count, part.rows.shape[1])) for part in known]
    return Values(np.concatenate(rows, axis=1), others)


def _flattened(values: Values | None) -> Values | None:
    return None if values is None else Values(values.values[None], values.others)


def _of_products(call: relax.Call, data: Values | None, weight: np.ndarray | None) -> Values | None:
    """The sums of a convolution or dense layer: multiples of a number per channel where data and weights are signs."""
    if weight is None:
        return None if data is None else _NONE
    rows = weight if op_name(call) == "relax.nn.conv2d" else np.moveaxis(weight, -1, 0)
    split = split_sign_and_scale(np.ascontiguousarray(rows))
    if split is None or (data is not None and data.others):
        return _NONE
    if data is None:
        return None
    unit = np.abs(data.values).max(initial=0)
    if not np.isin(data.values, (-unit, 0, unit)).all():
        return _NONE
    scales, terms = (split[1] * unit).astype(np.float64), rows[0].size
    if (scales == scales[0]).all():
        scales = scales[:1]
    if len(scales) * (2 * terms + 1) > _MOST:
        return None
    sums = Values(scales[:, None] * np.arange(-terms, terms + 1), False)
    return sums if op_name(call) == "relax.nn.conv2d" or len(shape(call)) == 2 else _flattened(sums)


def _mapped(call: relax.Call, name: str, parts: list[Values]) -> Values | None:
    """The values of an elementwise call for all combinations of its operands' values, channel by channel."""
    others = any(part.others for part in parts)
    if name in _ROUNDS and others:
        return None
    if name.startswith(("relax.greater", "relax.less", "relax.equal", "relax.not_equal", "relax.logical")):
        return _TRUTH
    if name == "relax.sign":
        return _SIGNS
    if name == "relax.where":
        return _union(list(parts[1:]))
    channels = max(len(part.rows) for part in parts)
    if any(len(part.rows) not in (1, channels) for part in parts):
        parts, channels = [Values(part.values[None], part.others) for part in parts], 1
    sizes = [part.rows.shape[1] for part in parts]
    if channels * int(np.prod(sizes, dtype=np.int64)) > _MOST:
        # Sums of many numbers with many others meet a given one by accident, unless all of them are whole.
        return _NONE if name in _SUMS and not all(_is_whole(part) for part in parts) else None
    operands = []
    for place, (part, arg) in enumerate(zip(parts, _parts(call))):
        form = [1] * len(parts)
        form[place] = sizes[place]
        rows = part.rows.astype(dtype(arg)).reshape(len(part.rows), *form)
        operands.append(np.broadcast_to(rows, (channels, *sizes)).reshape(channels, -1))
    mapped = compute(call, name, operands).astype(np.float64)
    more: list[float] = []
    if name == "relax.multiply" and others and any((part.rows == 0).any() for part in parts):
        more.append(0.0)
    if name in _BOUNDS and others:
        more += [0.0] if name == "relax.nn.relu" else _bounds(call, parts)
    if name in ("relax.nn.leakyrelu", "relax.nn.prelu") and others and _flat(call, parts):
        more.append(0.0)
    rows = np.concatenate([mapped, np.broadcast_to(more, (channels, len(more)))], axis=1)
    return Values(rows if rows.shape[1] <= _FEW or channels > 1 else np.unique(rows)[None], others)


def _is_whole(values: Values) -> bool:
    """Whether all values are multiples of 1/8, so that their sums are exact."""
    return bool((values.rows * 8 == np.rint(values.rows * 8)).all())


def _bounds(call: relax.Call, parts: list[Values]) -> list[float]:
    if op_name(call) == "relax.clip":
        return [float(bound.value) for bound in call.args[1:3]]
    return [value for part in parts if not part.others for value in part.values]


def _flat(call: relax.Call, parts: list[Values]) -> bool:
    slopes = parts[1].values if len(parts) > 1 else np.array([float(call.attrs.alpha)])
    return bool((slopes == 0).any())
