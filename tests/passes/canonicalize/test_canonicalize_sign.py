import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from b2nn_tvm.provenance.rewrite_log import AT_THRESHOLD
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    SHAPE,
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    run,
    tidy,
)

ONE, MINUS_ONE, ZERO, TWO, HALF = const(1), const(-1), const(0), const(2), const(0.5)
THRESHOLD = np.array([0.25, -0.5, 0, 1], np.float32)
PER_CHANNEL = THRESHOLD.reshape(1, 4, 1, 1)


def cast(x, kind="float32"):
    return op.astype(x, kind)


def ternary(x):
    return op.subtract(cast(op.greater(x, ZERO)), cast(op.less(x, ZERO)))


def approximation(x):
    return op.multiply(op.tanh(x), TWO)


AT_LEAST_ZERO = {
    "where(x >= 0)": lambda x: op.where(op.greater_equal(x, ZERO), ONE, MINUS_ONE),
    "where(0 <= x)": lambda x: op.where(op.less_equal(ZERO, x), ONE, MINUS_ONE),
    "where(x < 0, -1, 1)": lambda x: op.where(op.less(x, ZERO), MINUS_ONE, ONE),
    "where(0 > x, -1, 1)": lambda x: op.where(op.greater(ZERO, x), MINUS_ONE, ONE),
    "where(not x < 0)": lambda x: op.where(op.logical_not(op.less(x, ZERO)), ONE, MINUS_ONE),
    "where(x > 0 or x == 0)": lambda x: op.where(op.logical_or(op.greater(x, ZERO), op.equal(x, ZERO)), ONE, MINUS_ONE),
    "2 * cast - 1": lambda x: op.subtract(op.multiply(cast(op.greater_equal(x, ZERO)), TWO), ONE),
    "cast * 2 + (-1)": lambda x: op.add(op.multiply(TWO, cast(op.greater_equal(x, ZERO))), MINUS_ONE),
    "(cast - 0.5) / 0.5": lambda x: op.divide(op.subtract(cast(op.greater_equal(x, ZERO)), HALF), HALF),
    "cast - (1 - cast)": lambda x: op.subtract(
        cast(op.greater_equal(x, ZERO)), op.subtract(ONE, cast(op.greater_equal(x, ZERO)))
    ),
    "cast - cast": lambda x: op.subtract(cast(op.greater_equal(x, ZERO)), cast(op.less(x, ZERO))),
    "through int8": lambda x: cast(
        op.subtract(op.multiply(cast(op.greater_equal(x, ZERO), "int8"), const(2, "int8")), const(1, "int8"))
    ),
    "sign(sign(x) + 0.5)": lambda x: ternary(op.add(ternary(x), HALF)),
    "where(sign == 0, 1, sign)": lambda x: op.where(op.equal(ternary(x), ZERO), ONE, ternary(x)),
    "clip": lambda x: op.clip(op.add(op.multiply(ternary(x), TWO), ONE), -1, 1),
    "max, min": lambda x: op.minimum(op.maximum(op.add(op.multiply(ternary(x), TWO), ONE), MINUS_ONE), ONE),
}


@pytest.mark.parametrize("spelling", AT_LEAST_ZERO)
def test_spellings_of_a_sign_that_is_plus_one_at_zero(spelling):
    assert_becomes(CanonicalizeSign(context()), AT_LEAST_ZERO[spelling], op.sign)


def straight_through(x, forward, backward):
    return op.add(op.subtract(forward, backward), backward)


def test_the_straight_through_estimator_is_its_forward_part():
    def before(x):
        return straight_through(x, AT_LEAST_ZERO["where(x >= 0)"](x), x)

    assert_becomes(CanonicalizeSign(context()), before, op.sign)

    def reversed_sum(x):
        return op.add(x, op.subtract(AT_LEAST_ZERO["where(x >= 0)"](x), x))

    assert_becomes(CanonicalizeSign(context()), reversed_sum, op.sign)


def moved(x, *, to=(0, 2, 3, 1), back=(0, 3, 1, 2), forward=op.sign):
    """As tf2onnx writes QKeras: what is added stands in the other layout."""
    sign = op.permute_dims(forward(op.permute_dims(x, to)), back)
    return op.add(x, op.add(op.negative(x), sign))


def test_a_moved_sign_is_what_its_straight_through_estimator_means():
    expected = lambda x: op.permute_dims(op.sign(op.permute_dims(x, (0, 2, 3, 1))), (0, 3, 1, 2))
    assert_becomes(CanonicalizeSign(context()), moved, expected)


def test_the_straight_through_estimator_of_many_values_stays():
    assert_stays(CanonicalizeSign(context()), lambda x: moved(x, forward=op.nn.relu))
    assert_stays(CanonicalizeSign(context()), lambda x: moved(x, forward=op.round))


def test_a_sum_that_only_looks_like_a_straight_through_estimator_stays():
    def body(x, y):
        return op.add(op.subtract(op.sign(x), x), y)

    assert_stays(CanonicalizeSign(context()), body, SHAPE, SHAPE)


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (4, 1, 1)])
def test_a_threshold_per_channel(shape):
    assert_becomes(
        CanonicalizeSign(context()),
        lambda x: op.where(op.greater_equal(x, const(THRESHOLD.reshape(shape))), ONE, MINUS_ONE),
        lambda x: op.sign(op.subtract(x, const(PER_CHANNEL))),
    )


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_one_threshold_for_all_channels(shape):
    assert_becomes(
        CanonicalizeSign(context()),
        lambda x: op.where(op.greater_equal(x, const(np.full(shape, 0.25))), ONE, MINUS_ONE),
        lambda x: op.sign(op.subtract(x, const(np.full((1, 4, 1, 1), 0.25)))),
    )


def test_a_shift_before_the_sign_is_a_threshold():
    expected = lambda x: op.sign(op.subtract(x, const(PER_CHANNEL)))
    assert_becomes(CanonicalizeSign(context()), lambda x: op.sign(op.add(x, const(-PER_CHANNEL))), expected)
    assert_becomes(CanonicalizeSign(context()), lambda x: op.sign(op.add(const(-PER_CHANNEL), x)), expected)
    assert_becomes(
        CanonicalizeSign(context()), lambda x: op.sign(op.subtract(x, const(THRESHOLD.reshape(4, 1, 1)))), expected
    )
    at_least_zero = AT_LEAST_ZERO["where(x >= 0)"]
    assert_becomes(CanonicalizeSign(context()), lambda x: at_least_zero(op.subtract(x, const(PER_CHANNEL))), expected)
    assert_becomes(
        CanonicalizeSign(context()), lambda x: at_least_zero(op.add(x, const(-THRESHOLD.reshape(4, 1, 1)))), expected
    )


def test_a_bias_before_the_sign_is_no_threshold():
    weight = const(np.ones((4, 4, 1, 1)))
    assert_stays(CanonicalizeSign(context()), lambda x: op.sign(op.add(op.nn.conv2d(x, weight), const(PER_CHANNEL))))
    assert_stays(
        CanonicalizeSign(context()), lambda x: op.sign(op.add(op.multiply(x, const(PER_CHANNEL)), const(PER_CHANNEL)))
    )


def test_greater_than_is_at_least_the_next_float():
    above = np.nextafter(PER_CHANNEL, np.float32(np.inf))
    assert_becomes(
        CanonicalizeSign(context()),
        lambda x: op.where(op.greater(x, const(PER_CHANNEL)), ONE, MINUS_ONE),
        lambda x: op.sign(op.subtract(x, const(above))),
    )


def test_a_reversed_sign_is_scaled_by_minus_one():
    assert_becomes(
        CanonicalizeSign(context()),
        lambda x: op.where(op.greater_equal(x, ZERO), MINUS_ONE, ONE),
        lambda x: op.multiply(op.sign(x), MINUS_ONE),
    )


def test_a_magnitude_becomes_a_scale():
    expected = lambda x: op.multiply(op.sign(x), HALF)
    assert_becomes(
        CanonicalizeSign(context()), lambda x: op.where(op.greater_equal(x, ZERO), HALF, const(-0.5)), expected
    )
    assert_stays(CanonicalizeSign(context()), expected)


NO_SIGN = {
    "ternary": ternary,
    "zero and one": lambda x: cast(op.greater_equal(x, ZERO)),
    "three and one": lambda x: op.where(op.greater_equal(x, ZERO), const(3), ONE),
    "two different thresholds": lambda x: op.subtract(cast(op.greater_equal(x, ZERO)), cast(op.less(x, ONE))),
    "equality": lambda x: op.where(op.equal(x, ZERO), ONE, MINUS_ONE),
    "infinite threshold": lambda x: op.where(op.greater_equal(x, const(np.inf)), ONE, MINUS_ONE),
    "infinite values": lambda x: op.where(op.greater_equal(x, ZERO), const(np.inf), const(-np.inf)),
    "relu": op.nn.relu,
    "per-element values": lambda x: op.where(op.greater_equal(x, ZERO), const(np.arange(5)), MINUS_ONE),
}


@pytest.mark.parametrize("name", NO_SIGN)
def test_what_is_no_sign_stays(name):
    assert_stays(CanonicalizeSign(context()), NO_SIGN[name])


def test_two_inputs_compared_are_no_sign():
    assert_stays(
        CanonicalizeSign(context()), lambda x, y: op.where(op.greater_equal(x, y), ONE, MINUS_ONE), SHAPE, SHAPE
    )


@pytest.mark.compiles
@pytest.mark.parametrize(
    "body",
    [
        AT_LEAST_ZERO["2 * cast - 1"],
        AT_LEAST_ZERO["where(sign == 0, 1, sign)"],
        lambda x: op.where(op.greater(x, ZERO), ONE, MINUS_ONE),
        lambda x: op.where(op.less_equal(x, const(PER_CHANNEL)), ONE, MINUS_ONE),
        lambda x: op.where(op.greater(op.add(x, const(PER_CHANNEL)), ZERO), HALF, const(-0.5)),
    ],
)
def test_the_numbers_are_the_same(body):
    before = module(body)
    after = tidy(CanonicalizeSign(context())(before))
    assert "R.sign" in after.script()
    x = random_input()
    x[0, :, 0, 0] = [-0.0, np.float32(1e-45), np.float32(-1e-45), np.inf]
    np.testing.assert_array_equal(run(after, x), run(before, x))


# ---- signs of 0 at 0

BITS = const(np.where(np.arange(144).reshape(4, 4, 3, 3) % 5 < 2, 1.0, -1.0))
FLOATS = const(np.random.default_rng(0).standard_normal((4, 4, 3, 3)))


def read_by_a_binary_layer(sign, before):
    return lambda x: op.nn.conv2d(sign(before(x)), BITS)


def float_conv(x):
    return op.nn.conv2d(x, FLOATS, padding=1)


def at_most_one(x):
    return op.clip(op.multiply(x, const(1e20)), -1, 1)


@pytest.mark.parametrize(
    "sign", [ternary, lambda x: op.divide(x, op.abs(x)), at_most_one], ids=["sign", "x/|x|", "clip"]
)
def test_a_zero_by_accident_is_plus_one(sign):
    pass_ = CanonicalizeSign(own := context())
    assert_becomes(pass_, read_by_a_binary_layer(sign, float_conv), read_by_a_binary_layer(op.sign, float_conv))
    (row,) = own.log.in_order([])
    assert row.applied and AT_THRESHOLD in row.reason


@pytest.mark.parametrize("sign", [ternary, at_most_one])
@pytest.mark.parametrize("before", [op.nn.relu, lambda x: op.nn.max_pool2d(op.nn.relu(x), (2, 2)), lambda x: x])
def test_a_zero_by_structure_stays(sign, before):
    assert_stays(CanonicalizeSign(context()), read_by_a_binary_layer(sign, before))


def test_a_sign_of_sums_of_signs_stays_without_a_bias():
    sums = lambda x: op.nn.conv2d(op.sign(x), BITS, padding=1)
    assert_stays(CanonicalizeSign(context()), read_by_a_binary_layer(ternary, sums))
    shifted = lambda x: op.add(sums(x), const(np.full((1, 4, 1, 1), 0.37)))
    assert_becomes(
        CanonicalizeSign(context()),
        read_by_a_binary_layer(ternary, shifted),
        read_by_a_binary_layer(op.sign, shifted),
    )


def test_a_sign_that_no_binary_layer_reads_stays():
    assert_stays(CanonicalizeSign(context()), lambda x: ternary(float_conv(x)))
    assert_stays(CanonicalizeSign(context()), lambda x: op.nn.conv2d(ternary(float_conv(x)), FLOATS))


def test_flips_per_channel_are_scales():
    flips = np.array([1, -1, 1, -1]).reshape(1, 4, 1, 1)
    assert_becomes(
        CanonicalizeSign(context()),
        lambda x: op.where(op.greater_equal(x, ZERO), const(flips), const(-flips)),
        lambda x: op.multiply(op.sign(x), const(flips)),
    )
