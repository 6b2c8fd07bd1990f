import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.sink_sign import SinkSign
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

THRESHOLD = np.array([0.25, -0.5, 0, 1], np.float32).reshape(1, 4, 1, 1)
AXES = [0, 2, 3, 1]


def sign(x):
    return op.sign(op.subtract(x, const(THRESHOLD)))


def pool(x, layout="NCHW"):
    return op.nn.max_pool2d(x, (3, 3), (2, 2), (1, 1), layout=layout)


def test_a_sign_sinks_below_a_transpose():
    assert_becomes(
        SinkSign(context()), lambda x: op.permute_dims(op.sign(x), AXES), lambda x: op.sign(op.permute_dims(x, AXES))
    )


def test_a_threshold_is_transposed_with_its_tensor():
    assert_becomes(
        SinkSign(context()),
        lambda x: op.permute_dims(sign(x), AXES),
        lambda x: op.sign(op.subtract(op.permute_dims(x, AXES), const(THRESHOLD.transpose(AXES)))),
    )


def test_a_sign_sinks_below_max_pooling():
    assert_becomes(
        SinkSign(context()), lambda x: pool(sign(x)), lambda x: op.sign(op.subtract(pool(x), const(THRESHOLD)))
    )


def test_a_threshold_that_varies_over_the_image_stays_above_pooling():
    threshold = const(np.arange(5).reshape(1, 1, 1, 5))
    assert_becomes(
        SinkSign(context()),
        lambda x: pool(op.sign(op.subtract(x, threshold))),
        lambda x: op.sign(pool(op.subtract(x, threshold))),
    )


def test_a_sign_sinks_below_a_reshape():
    shape = (1, 2, 2, 30)
    assert_becomes(
        SinkSign(context()), lambda x: op.reshape(op.sign(x), shape), lambda x: op.sign(op.reshape(x, shape))
    )
    assert_becomes(
        SinkSign(context()),
        lambda x: op.reshape(op.sign(op.subtract(x, const(np.full((1, 4, 1, 1), 0.5)))), shape),
        lambda x: op.sign(op.subtract(op.reshape(x, shape), const(0.5))),
    )
    assert_becomes(
        SinkSign(context()),
        lambda x: op.reshape(sign(x), shape),
        lambda x: op.sign(op.reshape(op.subtract(x, const(THRESHOLD)), shape)),
    )


def test_a_transpose_passes_the_padding_of_signs():
    assert_becomes(
        SinkSign(context()),
        lambda x: op.permute_dims(op.nn.pad(op.sign(x), [0, 0, 0, 0, 1, 2, 3, 4], "constant", -1.0), AXES),
        lambda x: op.nn.pad(op.sign(op.permute_dims(x, AXES)), [0, 0, 1, 2, 3, 4, 0, 0], "constant", -1.0),
    )


def test_other_operators_stay_where_they_are():
    assert_stays(SinkSign(context()), lambda x: op.nn.relu(op.sign(x)))
    assert_stays(SinkSign(context()), lambda x: op.permute_dims(op.nn.relu(x), AXES))
    assert_stays(SinkSign(context()), lambda x: op.nn.avg_pool2d(op.sign(x), (2, 2)))


@pytest.mark.compiles
@pytest.mark.parametrize("body", [lambda x: pool(sign(x)), lambda x: op.permute_dims(sign(x), AXES)])
def test_the_numbers_are_the_same(body):
    before = module(body)
    x = random_input()
    np.testing.assert_array_equal(run(SinkSign(context())(before), x), run(before, x))
