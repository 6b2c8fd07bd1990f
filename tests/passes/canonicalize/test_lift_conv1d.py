import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.lift_conv1d import LiftConv1d
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

WEIGHT = np.random.default_rng(0).standard_normal((6, 4, 3)).astype(np.float32)
SECOND = np.random.default_rng(1).standard_normal((2, 6, 2)).astype(np.float32)
SHAPE = (2, 4, 9)
BIAS = np.arange(6, dtype=np.float32).reshape(1, 6, 1)


def test_a_convolution_is_one_over_images_of_one_row():
    assert_becomes(
        LiftConv1d(context()),
        lambda x: op.nn.conv1d(x, const(WEIGHT), strides=2, padding=(1, 0), dilation=2),
        lambda x: op.reshape(
            op.nn.conv2d(
                op.reshape(x, (2, 4, 1, 9)),
                const(WEIGHT[:, :, None]),
                strides=(1, 2),
                padding=(0, 1, 0, 0),
                dilation=(1, 2),
            ),
            (2, 6, 3),
        ),
        SHAPE,
    )


def network(x):
    y = op.nn.relu(op.add(op.nn.conv1d(x, const(WEIGHT), padding=1), const(BIAS)))
    y = op.nn.max_pool1d(op.multiply(y, const(np.float32(2))), 2, 2)
    return op.nn.avg_pool1d(op.nn.conv1d(op.add(y, y), const(SECOND)), 2, padding=1, count_include_pad=False)


def test_what_stands_between_two_convolutions_is_lifted_too():
    before = module(network, SHAPE)
    after = LiftConv1d(context())(before)
    text = after.script()
    assert text.count("R.reshape") == 2 and "1d" not in text
    x = random_input(SHAPE)
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "body", [lambda x: op.nn.relu(op.add(x, x)), lambda x: op.nn.max_pool1d(x, 2), lambda x: op.reshape(x, (2, 36))]
)
def test_a_network_without_1d_convolutions_stays(body):
    assert_stays(LiftConv1d(context()), body, SHAPE)


def test_an_operand_that_is_broadcast_from_another_tensor_stays():
    def body(x):
        y = op.nn.conv1d(x, const(WEIGHT), padding=1)
        return op.multiply(y, op.mean(y, axis=2, keepdims=True))

    before = module(body, SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_allclose(run(LiftConv1d(context())(before), x), run(before, x), rtol=1e-5, atol=1e-6)
