"""Behind a convolution, whose layout changes, every operator with axes gives what it gave, from either end counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.pipeline import convert_layout
from tests.support.passes.compile_context import apply_stage
from tests.support.passes.relax_functions import const, module, random_input, run_all

SHAPE = (2, 6, 4, 5)
WEIGHT = const(random_input((6, 3, 1, 1), 1))


def value(*shape: int) -> relax.Expr:
    return const(random_input(shape, 9))


def trailing(axis: int) -> tuple[relax.Expr, list[int]]:
    """The scale and the axes of a normalization from ``axis`` on."""
    return value(*SHAPE[axis % 4 :]), list(range(axis, 0 if axis < 0 else 4))


OPERATORS = {
    "sum": lambda c, axis: op.sum(c, [axis]),
    "mean, axes kept": lambda c, axis: op.mean(c, [axis], True),
    "variance": lambda c, axis: op.variance(c, [axis]),
    "squeeze": lambda c, axis: op.squeeze(op.mean(c, [axis % 4], True), [axis]),
    "concat": lambda c, axis: op.concat([c, op.nn.relu(c)], axis),
    "stack": lambda c, axis: op.stack([c, op.nn.relu(c)], axis),
    "split": lambda c, axis: op.split(c, [1], axis)[1],
    "softmax": op.nn.softmax,
    "log softmax": op.nn.log_softmax,
    "flip": op.flip,
    "repeat": lambda c, axis: op.repeat(c, 2, axis),
    "expand dims": lambda c, axis: op.expand_dims(c, [axis]),
    "slice": lambda c, axis: op.strided_slice(c, [axis], [1], [2]),
    "take": lambda c, axis: op.take(c, const([1, 0, 1], "int64"), axis),
    "argmax": op.argmax,
    "prelu": lambda c, axis: op.nn.prelu(c, value(SHAPE[axis % 4]), axis),
    "layer norm": lambda c, axis: op.nn.layer_norm(c, trailing(axis)[0], trailing(axis)[0], trailing(axis)[1]),
    "rms norm": lambda c, axis: op.nn.rms_norm(c, *trailing(axis)),
    "group norm": lambda c, axis: op.nn.group_norm(c, value(6), value(6), 3, axis, [axis + 1, axis + 2]),
    "instance norm": lambda c, axis: op.nn.instance_norm(c, value(6), value(6), axis, [axis + 1, axis + 2]),
}
AXES = {"group norm": (1, -3), "instance norm": (1, -3), "rms norm": (1, 3, -1, -2)}  # TVM computes no other of these
RANK = {"expand dims": 5, "stack": 5}  # of what the axis counts


def of_axes(name: str, axes: Iterable[int]) -> Callable[[relax.Expr], relax.Expr]:
    """The operator along each of these axes behind one convolution: one function to compile, with all results."""

    def body(x: relax.Expr) -> relax.Expr:
        emit = relax.BlockBuilder.current().emit
        convolved = emit(op.nn.conv2d(x, WEIGHT))
        return relax.Tuple([emit(OPERATORS[name](convolved, axis)) for axis in axes])

    return body


@pytest.mark.parametrize("name", OPERATORS)
def test_the_values_stay(name):
    x = random_input((2, 3, 4, 5))
    axes = AXES.get(name, range(-4, 4))
    expected = run_all(module(of_axes(name, [axis % RANK.get(name, 4) for axis in axes]), x.shape), x)
    found = run_all(apply_stage(convert_layout, module(of_axes(name, axes), x.shape)), x)
    for axis, ours, theirs in zip(axes, found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=f"axis {axis}")
