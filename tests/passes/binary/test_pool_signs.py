import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.binary.pool_signs import PoolSigns
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    random_signs,
    run,
)

SHAPE = (1, 6, 5, 4)  # NHWC
WEIGHT = random_signs((3, 3, 4, 2))  # HWIO
TINY = np.float32(2.0**-149)  # the smallest positive float
GAIN = np.array([0.5, -0.25, 0, -2], np.float32).reshape(1, 1, 1, 4)
BIAS = np.array([0.25, 1, -0.5, 0], np.float32).reshape(1, 1, 1, 4)
LIMIT = np.array([0.5, 1.5, 0, -1], np.float32).reshape(1, 1, 1, 4)
TURNED = np.array([1, -1, 1, -1], np.float32).reshape(1, 1, 1, 4)


def pool(x):
    return op.nn.max_pool2d(x, (3, 3), (2, 2), (1, 1), layout="NHWC")


def conv(x, padding=1):
    return op.nn.conv2d(x, const(WEIGHT), padding=padding, data_layout="NHWC", kernel_layout="HWIO")


def affine(x, gain=GAIN, bias=BIAS):
    return op.add(op.multiply(x, const(gain)), const(bias))


def apply(before):
    return PoolSigns(context())(before)


def test_bits_are_pooled():
    assert_becomes(apply, lambda x: conv(op.sign(pool(x))), lambda x: conv(pool(op.sign(x))), SHAPE)


def test_a_threshold_per_channel_goes_along():
    assert_becomes(
        apply,
        lambda x: conv(op.sign(op.subtract(pool(x), const(LIMIT)))),
        lambda x: conv(pool(op.sign(op.subtract(x, const(LIMIT))))),
        SHAPE,
    )


def test_a_rising_map_goes_along():
    gain = np.abs(GAIN)
    assert_becomes(
        apply,
        lambda x: conv(op.sign(affine(pool(x), gain))),
        lambda x: conv(pool(op.sign(affine(x, gain)))),
        SHAPE,
    )


def test_where_a_map_falls_the_opposite_sign_is_pooled():
    """-0.25 max(x) + 1 >= 0 for the maximum is not (0.25 x - 1 >= the smallest positive float) for any x."""
    limit = np.array([0, TINY, 0, TINY], np.float32).reshape(1, 1, 1, 4)
    bias = BIAS * TURNED
    assert_becomes(
        apply,
        lambda x: conv(op.sign(affine(pool(x)))),
        lambda x: conv(
            op.multiply(pool(op.sign(op.subtract(affine(x, np.abs(GAIN), bias), const(limit)))), const(TURNED))
        ),
        SHAPE,
    )


def test_a_threshold_behind_a_falling_map():
    """v >= t is not -v >= the next float above -t."""
    above = np.where(TURNED < 0, np.nextafter(-LIMIT, np.float32(np.inf)), LIMIT).astype(np.float32)
    assert_becomes(
        apply,
        lambda x: conv(op.sign(op.subtract(op.multiply(pool(x), const(GAIN)), const(LIMIT)))),
        lambda x: conv(
            op.multiply(
                pool(op.sign(op.subtract(op.multiply(x, const(np.abs(GAIN))), const(above)))),
                const(TURNED),
            )
        ),
        SHAPE,
    )


def padded(x):
    return op.nn.pad(x, [0, 0, 1, 1, 1, 1, 0, 0], "constant", 1.0)


def test_padding_with_one_stays_between_the_pooling_and_the_convolution():
    assert_becomes(
        apply, lambda x: conv(padded(op.sign(pool(x))), 0), lambda x: conv(padded(pool(op.sign(x))), 0), SHAPE
    )


def pooled_floats_are_read(x):
    y = pool(x)
    return op.add(conv(op.sign(y)), op.strided_slice(y, [3], [0], [2]))


def the_affine_map_is_read(x):
    y = affine(pool(x))
    return op.add(conv(op.sign(y)), op.strided_slice(y, [3], [0], [2]))


def the_sign_is_read(x):
    s = op.sign(pool(x))
    return op.add(conv(s), op.strided_slice(s, [3], [0], [2]))


def the_padded_sign_is_read(x):
    s = padded(op.sign(pool(x)))
    return op.add(conv(s, 0), op.strided_slice(s, [1, 2, 3], [0, 0, 0], [3, 3, 2]))


STAYS = {
    "pooled floats are read": pooled_floats_are_read,
    "the affine map is read": the_affine_map_is_read,
    "the sign is read": the_sign_is_read,
    "the padded sign is read": the_padded_sign_is_read,
    "no binary convolution": lambda x: op.nn.relu(op.sign(pool(x))),
    "average pooling": lambda x: conv(op.sign(op.nn.avg_pool2d(x, (2, 2), layout="NHWC"))),
    "a factor per pixel": lambda x: conv(op.sign(op.multiply(pool(x), const(random_input((1, 3, 3, 1)))))),
    "an activation": lambda x: conv(op.sign(op.sin(pool(x)))),
    "channels first": lambda x: conv(op.sign(op.nn.max_pool2d(x, (1, 1)))),
    "no pooling": lambda x: conv(op.sign(affine(x))),
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(why):
    assert_stays(apply, STAYS[why], SHAPE)


def test_two_convolutions_share_the_pooled_signs():
    def body(between):
        return lambda x: op.add(conv(signs := between(x)), conv(signs))

    assert_becomes(apply, body(lambda x: op.sign(pool(x))), body(lambda x: pool(op.sign(x))), SHAPE)


def test_declined_poolings_are_in_the_log():
    own = context()
    PoolSigns(own)(module(pooled_floats_are_read, SHAPE))
    PoolSigns(own)(module(lambda x: conv(op.sign(affine(pool(x)))), SHAPE))
    declined, applied = own.log.in_order([])
    assert (declined.rule, declined.applied) == ("PoolSigns", False) and "read as floats, too" in declined.reason
    assert applied.applied and "AND where the scale behind the pooling is negative" in applied.reason


def test_the_numbers_are_the_same():
    """Ties with thresholds are common among the inputs, and both signs of gain and bias."""
    values = lambda seed: random_input((1, 1, 1, 4), seed)

    def body(x):
        found = [
            op.sign(op.subtract(affine(pool(x), values(seed), values(seed + 50)), const(values(seed + 100))))
            for seed in range(20)
        ]
        return op.concat([conv(op.sign(affine(pool(x)))), *(conv(sign) for sign in found)], axis=3)

    before = module(body, SHAPE)
    after = apply(before)
    assert after.script().count("R.nn.max_pool2d") == 21
    x = random_input(SHAPE, 3)
    np.testing.assert_array_equal(run(after, x), run(before, x))
