"""A stack is a concatenation along a new axis."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.unfold_stack import UnfoldStack
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, assert_becomes, assert_stays, module, random_input, run


@pytest.mark.parametrize("axis", [0, 2, 4, -1, -5])
def test_a_stack_becomes_a_concatenation(axis):
    stack = lambda x, y: op.stack([x, y], axis)
    concat = lambda x, y: op.concat([op.expand_dims(x, [axis]), op.expand_dims(y, [axis])], axis)
    assert_becomes(UnfoldStack(context()), stack, concat, SHAPE, SHAPE)
    x, y = random_input(seed=1), random_input(seed=2)
    np.testing.assert_array_equal(
        run(UnfoldStack(context())(module(stack, SHAPE, SHAPE)), x, y), np.stack([x, y], axis)
    )


def test_a_concatenation_stays():
    assert_stays(UnfoldStack(context()), lambda x: op.concat([x, x], 1))
