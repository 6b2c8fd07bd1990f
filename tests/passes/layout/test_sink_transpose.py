import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.layout.sink_transpose import SinkTranspose
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, assert_becomes, assert_stays, const, module, random_input, run

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
NHWC = (1, 6, 5, 4)
VALUES = np.arange(1, 5, dtype=np.float32)


def nchw(x):
    return op.permute_dims(x, TO_NCHW)


def nhwc(x):
    return op.permute_dims(x, TO_NHWC)


@pytest.mark.parametrize(
    "body",
    [
        op.nn.relu,
        op.sign,
        lambda x: op.nn.leakyrelu(x, 0.1),
        lambda x: op.clip(x, -1, 1),
        lambda x: op.multiply(x, const(2)),
        lambda x: op.where(op.greater(x, const(0)), x, op.negative(x)),
    ],
)
def test_elementwise_operators_pass(body):
    assert_becomes(SinkTranspose(context()), lambda x: body(nchw(x)), lambda x: nchw(body(x)), NHWC)


def test_constants_are_transposed():
    assert_becomes(
        SinkTranspose(context()),
        lambda x: op.subtract(const(VALUES.reshape(1, 4, 1, 1)), nchw(x)),
        lambda x: nchw(op.subtract(const(VALUES.reshape(1, 1, 1, 4)), x)),
        NHWC,
    )
    assert_becomes(
        SinkTranspose(context()),
        lambda x: op.add(x, nhwc(const(VALUES.reshape(1, 4, 1, 1)))),
        lambda x: op.add(x, const(VALUES.reshape(1, 1, 1, 4))),
        NHWC,
    )


def test_two_transposed_tensors_pass_together():
    assert_becomes(
        SinkTranspose(context()), lambda x, y: op.add(nchw(x), nchw(y)), lambda x, y: nchw(op.add(x, y)), NHWC, NHWC
    )


def test_padding_and_prelu_know_their_axes():
    assert_becomes(
        SinkTranspose(context()),
        lambda x: op.nn.pad(nchw(x), [0, 0, 0, 0, 1, 2, 3, 4], "constant", -1.0),
        lambda x: nchw(op.nn.pad(x, [0, 0, 1, 2, 3, 4, 0, 0], "constant", -1.0)),
        NHWC,
    )
    assert_becomes(
        SinkTranspose(context()),
        lambda x: op.nn.prelu(nchw(x), const(VALUES), 1),
        lambda x: nchw(op.nn.prelu(x, const(VALUES), 3)),
        NHWC,
    )


def test_a_transpose_and_its_inverse_cancel():
    assert_becomes(
        SinkTranspose(context()), lambda x: op.tanh(nhwc(op.exp(nchw(x)))), lambda x: op.tanh(op.exp(x)), NHWC
    )
    turn = lambda x: op.permute_dims(x, [1, 2, 3, 0])
    assert_becomes(SinkTranspose(context()), lambda x: turn(turn(x)), lambda x: op.permute_dims(x, [2, 3, 0, 1]), NHWC)


def test_a_transpose_that_changes_nothing_goes():
    assert_becomes(SinkTranspose(context()), lambda x: op.exp(op.permute_dims(x, [0, 1, 2, 3])), op.exp, NHWC)
    assert_becomes(SinkTranspose(context()), lambda x: op.permute_dims(nchw(nhwc(x)), [0, 1, 2, 3]), lambda x: x)


def test_constants_keep_their_type():
    wide = np.arange(4, dtype=np.float64).reshape(1, 4, 1, 1)
    assert_becomes(
        SinkTranspose(context()),
        lambda x: op.add(nchw(op.astype(x, "float64")), const(wide, "float64")),
        lambda x: nchw(op.add(op.astype(x, "float64"), const(wide.reshape(1, 1, 1, 4), "float64"))),
        NHWC,
    )


def test_what_does_not_commute_stays():
    assert_stays(SinkTranspose(context()), lambda x: op.nn.softmax(nchw(x), 1), NHWC)
    assert_stays(SinkTranspose(context()), lambda x, y: op.add(nchw(x), y), NHWC, SHAPE)
    assert_stays(SinkTranspose(context()), lambda x: op.add(nchw(x), const(VALUES.reshape(4, 1, 1))), NHWC)
    assert_stays(SinkTranspose(context()), lambda x: op.nn.pad(nchw(x), [0, 0, 0, 0, 1, 1, 1, 1], "reflect"), NHWC)


@pytest.mark.compiles
def test_the_numbers_are_the_same():
    def body(x):
        padded = op.nn.pad(nchw(x), [0, 0, 0, 1, 1, 2, 3, 4], "constant", -1.0)
        return op.nn.prelu(op.multiply(padded, const(np.arange(1, 6).reshape(1, 5, 1, 1))), const(np.arange(5) / 4), 1)

    before = module(body, NHWC)
    x = random_input(NHWC)
    np.testing.assert_array_equal(run(SinkTranspose(context())(before), x), run(before, x))
