"""Axes are counted from the front, of what the operator counts them in."""

from __future__ import annotations

import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.normalize_axes import NormalizeAxes
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, random_input

FOUR, SCALE = const(random_input((4,), 1)), const(random_input((4, 6, 5), 2))
BODIES = {
    "squeeze": (lambda x, a: op.squeeze(op.mean(x, [1, 3], True), [a(3), a(1)])),
    "sum": lambda x, a: op.sum(x, [a(3), a(1)]),
    "max": lambda x, a: op.max(x, [a(2)], keepdims=True),
    "concat": lambda x, a: op.concat([x, x], a(1)),
    "split": lambda x, a: op.split(x, 2, a(1))[1],
    "softmax": lambda x, a: op.nn.softmax(x, a(1)),
    "flip": lambda x, a: op.flip(x, a(1)),
    "layer norm": lambda x, a: op.nn.layer_norm(x, SCALE, SCALE, [a(1), a(2), a(3)]),
    "group norm": lambda x, a: op.nn.group_norm(x, FOUR, FOUR, 2, a(1), [a(2), a(3)]),
    "instance norm": lambda x, a: op.nn.instance_norm(x, FOUR, FOUR, a(1), [a(2), a(3)]),
    "transpose": lambda x, a: op.permute_dims(x, [0, a(3), a(1), 2]),
}


@pytest.mark.parametrize("name", BODIES)
def test_negative_axes_become_positive(name):
    body = BODIES[name]
    assert_becomes(
        NormalizeAxes(context()), lambda x: body(x, lambda axis: axis - 4), lambda x: body(x, lambda axis: axis)
    )
    assert_stays(NormalizeAxes(context()), lambda x: body(x, lambda axis: axis))


def test_a_new_axis_is_counted_in_the_result():
    assert_becomes(NormalizeAxes(context()), lambda x: op.expand_dims(x, [-1, 0]), lambda x: op.expand_dims(x, [5, 0]))


def test_operators_that_no_change_of_layout_touches_stay():
    assert_stays(NormalizeAxes(context()), lambda x: op.cumsum(x, -1))
    assert_stays(NormalizeAxes(context()), lambda x: op.squeeze(op.mean(x, [1, 3], True)))
