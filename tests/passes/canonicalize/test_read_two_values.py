import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.classify_convs import classify_convs
from b2nn_tvm.passes.canonicalize.read_two_values import ReadTwoValues
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    SHAPE,
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    random_signs,
    run,
)

ZERO, ONE, MINUS_ONE, HALF = const(0), const(1), const(-1), const(0.5)
WEIGHT = random_signs((3, 4, 3, 3)) * np.float32([[[[0.5]]], [[[1]]], [[[2]]]])
SUMS = WEIGHT.sum(axis=(1, 2, 3)).reshape(1, 3, 1, 1)
THRESHOLDS = const(np.array([0.25, -0.5, 0, 1]).reshape(1, 4, 1, 1))


def conv(x, **kwargs):
    return op.nn.conv2d(x, const(WEIGHT), **kwargs)


def bits(x, above=ONE, below=ZERO):
    return op.where(op.greater_equal(x, ZERO), above, below)


def pad(x, value):
    return op.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], "constant", value)


def test_zero_and_one():
    def expected(x):
        return op.add(op.multiply(conv(op.sign(x)), HALF), const(SUMS / 2))

    assert_becomes(ReadTwoValues(context()), lambda x: conv(bits(x)), expected)


def test_zeros_around_zeros_and_ones_are_padding_of_signs():
    def expected(x):
        return op.add(op.multiply(conv(pad(op.sign(x), -1.0)), HALF), const(SUMS / 2))

    assert_becomes(ReadTwoValues(context()), lambda x: conv(bits(x), padding=1), expected)
    assert_becomes(ReadTwoValues(context()), lambda x: conv(pad(bits(x), 0.0)), expected)


def test_weights_of_two_values_are_read_by_signs_too():
    """AdaBin (Tu et al., ECCV 2022) has two values on both sides, and zeros around the image."""
    weight = random_signs((3, 4, 3, 3)) * np.float32(0.25) + np.float32(0.125)
    sums = const(weight.sum(axis=(1, 2, 3)).reshape(1, 3, 1, 1) / 2)
    layer = lambda x: op.nn.conv2d(x, const(weight))
    assert_becomes(
        ReadTwoValues(context()),
        lambda x: layer(bits(x)),
        lambda x: op.add(op.multiply(layer(op.sign(x)), HALF), sums),
    )


@pytest.mark.parametrize("ternary", [False, True])
def test_zeros_around_two_other_values_are_no_obstacle(ternary):
    weight = random_signs((3, 4, 3, 3)) * (random_input((3, 4, 3, 3)) > 0 if ternary else 1)
    weight = weight.astype(np.float32) if ternary else weight + np.float32(0.5)
    before = module(lambda x: op.nn.conv2d(bits(x, const(0.9), const(-0.5)), const(weight), padding=1), SHAPE)
    after = ReadTwoValues(context())(before)
    x = random_input(SHAPE)
    assert "R.sign" in after.script()
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-5)


def test_other_weights_are_left_alone():
    ternary = const((random_input((3, 4, 3, 3)) > 0).astype(np.float32) * random_signs((3, 4, 3, 3)))
    assert_stays(ReadTwoValues(context()), lambda x: op.nn.conv2d(bits(x), ternary, padding=1))
    assert_stays(ReadTwoValues(context()), lambda x: op.nn.conv2d(bits(x), const(random_input((3, 4, 3, 3)))))


def test_falling_steps_are_scaled_by_a_negative_number():
    def expected(x):
        return op.add(op.multiply(conv(op.sign(x)), const(-0.5)), const(SUMS / 2))

    assert_becomes(ReadTwoValues(context()), lambda x: conv(bits(x, ZERO, ONE)), expected)


def test_moved_signs_are_signs():
    def moved(x):
        return op.concat([op.sign(x), op.multiply(op.sign(op.nn.relu(x)), MINUS_ONE)], axis=1)

    weight = const(random_signs((3, 8, 3, 3)))
    assert_becomes(
        ReadTwoValues(context()),
        lambda x: op.nn.conv2d(moved(x), weight, padding=1),
        lambda x: op.nn.conv2d(op.sign(moved(x)), weight, padding=1),
    )


def test_dense_layers():
    weight = random_signs((5, 3))
    assert_becomes(
        ReadTwoValues(context()),
        lambda x: op.matmul(bits(x), const(weight)),
        lambda x: op.add(op.multiply(op.matmul(op.sign(x), const(weight)), HALF), const(weight.sum(axis=0)[None] / 2)),
        (7, 5),
    )


STAYS = {
    "signs": lambda x: conv(op.sign(x)),
    "padded signs": lambda x: conv(pad(op.sign(x), 1.0)),
    "floats": conv,
    "three values": lambda x: conv(op.add(bits(x), bits(op.add(x, ONE)))),
    "another padding": lambda x: conv(pad(bits(x), 0.5)),
    "float weights": lambda x: op.nn.conv2d(bits(x), const(np.arange(108).reshape(3, 4, 3, 3))),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_stays(name):
    assert_stays(ReadTwoValues(context()), STAYS[name])


SAME = {
    "learned values, zeros around": lambda x: conv(
        bits(op.subtract(x, THRESHOLDS), const(1.5), const(-0.25)), padding=(1, 0, 2, 1), strides=2, dilation=1
    ),
    "dilated": lambda x: conv(bits(x, const(3), const(1)), padding=2, dilation=2),
    "one value is zero": lambda x: conv(bits(x, ZERO, const(2.5)), padding=1),
    "two negative values": lambda x: conv(bits(x, const(-1), const(-2)), padding=1),
    "pooled": lambda x: conv(op.nn.max_pool2d(bits(x, const(2), HALF), (2, 2), padding=1), padding=1),
}


@pytest.mark.parametrize("name", SAME)
def test_the_numbers_are_the_same(name):
    before = module(SAME[name])
    after = ReadTwoValues(context())(before)
    x = random_input(SHAPE)
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-5)
    assert "R.sign" in after.script() and "R.sign" not in before.script()
    assert len(classify_convs(after)) == 1
