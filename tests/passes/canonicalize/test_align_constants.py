import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

VALUES = np.arange(1, 5, dtype=np.float32)


def test_constants_get_the_rank_of_the_tensor():
    assert_becomes(
        AlignConstants(context()),
        lambda x: op.subtract(const(VALUES.reshape(4, 1, 1)), x),
        lambda x: op.subtract(const(VALUES.reshape(1, 4, 1, 1)), x),
    )
    assert_becomes(
        AlignConstants(context()),
        lambda x: op.where(op.greater(x, const([0])), x, const([1])),
        lambda x: op.where(op.greater(x, const([[[[0]]]])), x, const([[[[1]]]])),
    )


def test_constants_keep_their_type():
    assert_becomes(
        AlignConstants(context()),
        lambda x: op.add(op.astype(x, "float64"), const(VALUES.reshape(4, 1, 1), "float64")),
        lambda x: op.add(op.astype(x, "float64"), const(VALUES.reshape(1, 4, 1, 1), "float64")),
    )


def test_scalars_full_constants_and_other_operators_stay():
    assert_stays(AlignConstants(context()), lambda x: op.multiply(x, const(2)))
    assert_stays(AlignConstants(context()), lambda x: op.multiply(x, const(VALUES.reshape(1, 4, 1, 1))))
    assert_stays(AlignConstants(context()), lambda x: op.matmul(x, const(np.ones(5))))


@pytest.mark.compiles
def test_the_numbers_are_the_same():
    before = module(lambda x: op.add(op.multiply(x, const(np.arange(5))), const(VALUES.reshape(4, 1, 1))))
    np.testing.assert_array_equal(run(AlignConstants(context())(before), random_input()), run(before, random_input()))
