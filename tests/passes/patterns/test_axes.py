"""The negative axes of an operator's attributes, counted from the front instead."""

from __future__ import annotations

import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.axes import negative_axes
from b2nn_tvm.relax_query import calls
from tests.support.passes.relax_functions import const, module, random_input

SCALE = const(random_input((5,), 1))


def found(body):
    """What is negative in the last call of a function of x [1, 4, 6, 5]."""
    (*_, (_, call)) = calls(module(body)["main"])
    return dict(negative_axes(call))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda x: op.sum(x, [-1, 1]), {"axis": [3, 1]}),
        (lambda x: op.nn.softmax(x, -2), {"axis": 2}),
        (lambda x: op.concat([x, x], -3), {"axis": 1}),
        (lambda x: op.nn.layer_norm(x, SCALE, SCALE, [-1]), {"axes": [3]}),
        (
            lambda x: op.nn.group_norm(x, const([1] * 4), const([0] * 4), 2, -3, [-2, -1]),
            {"channel_axis": 1, "axes": [2, 3]},
        ),
        (lambda x: op.expand_dims(x, [-1]), {"axis": [4]}),
        (lambda x: op.stack([x, x], -1), {"axis": 4}),
    ],
    ids=["sum", "softmax", "concat", "layer norm", "group norm", "expand_dims", "stack"],
)
def test_axes_are_counted_in_what_the_operator_counts_them_in(body, expected):
    assert found(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        lambda x: op.sum(x, [3, 1]),
        op.sum,  # over all axes, none of which is named
        lambda x: op.cumsum(x, -1),  # no change of layout touches it
        op.nn.relu,
    ],
    ids=["positive", "none", "cumsum", "no axes"],
)
def test_nothing_is_negative(body):
    assert found(body) == {}
