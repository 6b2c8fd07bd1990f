import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.layout.reshape_transpose import ReshapeTranspose
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, module, random_input, run

PIXEL = (3, 1, 1, 8)  # NHWC
TO_NCHW = [0, 3, 1, 2]


def test_a_transpose_of_one_pixel_is_a_reshape():
    assert_becomes(
        ReshapeTranspose(context()), lambda x: op.permute_dims(x, TO_NCHW), lambda x: op.reshape(x, (3, 8, 1, 1)), PIXEL
    )


def test_reshapes_are_joined():
    assert_becomes(
        ReshapeTranspose(context()),
        lambda x: op.reshape(op.permute_dims(x, TO_NCHW), (3, 8)),
        lambda x: op.reshape(x, (3, 8)),
        PIXEL,
    )


def test_a_transpose_that_moves_elements_stays():
    assert_stays(ReshapeTranspose(context()), lambda x: op.permute_dims(x, TO_NCHW), (1, 2, 1, 8))
    assert_stays(ReshapeTranspose(context()), lambda x: op.permute_dims(x, [3, 1, 2, 0]), PIXEL)
    assert_stays(ReshapeTranspose(context()), op.permute_dims, (3, 1, 8))
    assert_stays(ReshapeTranspose(context()), lambda x: op.reshape(op.nn.relu(x), (3, 8)), PIXEL)


@pytest.mark.compiles
def test_the_numbers_are_the_same():
    before = module(lambda x: op.reshape(op.permute_dims(op.nn.relu(x), TO_NCHW), (24,)), PIXEL)
    x = random_input(PIXEL)
    np.testing.assert_array_equal(run(ReshapeTranspose(context())(before), x), run(before, x))
