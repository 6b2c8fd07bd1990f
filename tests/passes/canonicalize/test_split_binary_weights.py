import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.split_binary_weights import SplitBinaryWeights
from b2nn_tvm.provenance.layer_names import split_sign_and_scale, weight_digest
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

SIGNS = random_signs((3, 4, 3, 3))
ALPHA = np.array([0.75, 0, 1.5], np.float32)
SCALED = SIGNS * np.array([0.75, 0, -1.5], np.float32).reshape(3, 1, 1, 1)
SPLIT = np.stack([SIGNS[0], np.ones((4, 3, 3), np.float32), -SIGNS[2]])


def conv(x, weight):
    return op.nn.conv2d(x, const(weight), padding=1)


def test_weights_of_one_magnitude_per_channel_are_split():
    assert_becomes(
        SplitBinaryWeights(context()),
        lambda x: conv(op.sign(x), SCALED),
        lambda x: op.multiply(conv(op.sign(x), SPLIT), const(ALPHA.reshape(1, 3, 1, 1))),
    )


def test_rounded_signs_are_rounded_back():
    assert_becomes(
        SplitBinaryWeights(context()),
        lambda x: conv(op.sign(x), np.nextafter(SIGNS, np.float32(0))),
        lambda x: op.multiply(
            conv(op.sign(x), SIGNS), const(np.full((1, 3, 1, 1), np.nextafter(np.float32(1), np.float32(0))))
        ),
    )


def test_signs_behind_padding_count():
    widths = [0, 0, 0, 0, 1, 1, 1, 1]
    pad = lambda x: op.nn.pad(op.sign(x), widths, "constant", -1.0)
    assert_becomes(
        SplitBinaryWeights(context()),
        lambda x: conv(pad(x), 2 * SIGNS),
        lambda x: op.multiply(conv(pad(x), SIGNS), const(np.full((1, 3, 1, 1), 2))),
    )


def test_other_convolutions_stay():
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(op.sign(x), SIGNS))
    almost = SCALED.copy()
    almost[0, 0, 0, 0] *= 1.001
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(op.sign(x), almost))
    assert_stays(SplitBinaryWeights(context()), lambda x: op.nn.conv2d(op.sign(x), const(2 * SIGNS[:2, :2]), groups=2))


def test_on_floats_the_magnitude_must_be_exactly_one():
    assert_becomes(
        SplitBinaryWeights(context()),
        lambda x: conv(op.nn.relu(x), SCALED),
        lambda x: op.multiply(conv(op.nn.relu(x), SPLIT), const(ALPHA.reshape(1, 3, 1, 1))),
    )
    rounded = SCALED.copy()
    rounded[0, 0, 0, 0] = np.nextafter(rounded[0, 0, 0, 0], np.float32(0))
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(op.nn.relu(x), rounded))
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(op.nn.relu(x), SIGNS))
    assert_stays(SplitBinaryWeights(context()), lambda x: op.nn.conv2d(x, const(2 * SIGNS[:2, :2]), groups=2))
    one_weight = lambda x: op.nn.conv2d(x, const(np.full((3, 1, 1, 1), 2.0)))
    assert_stays(SplitBinaryWeights(context()), one_weight, (1, 1, 6, 5))


def test_the_numbers_are_the_same():
    before = module(lambda x: conv(op.sign(x), SCALED))
    x = random_input()
    np.testing.assert_array_equal(run(SplitBinaryWeights(context())(before), x), run(before, x))


@pytest.mark.parametrize("weight", [np.full((2, 1, 1, 1), np.inf), np.array([[1, 2.0]]), np.array([[1, 0.0]])])
def test_weights_that_are_no_scaled_signs(weight):
    assert split_sign_and_scale(weight.astype(np.float32)) is None


def test_the_digest_is_the_same_before_and_after_the_split():
    assert weight_digest(SCALED) == weight_digest(SPLIT) != weight_digest(SIGNS)
    assert weight_digest(SPLIT) != weight_digest(SPLIT.reshape(3, 4, 9, 1))
    other = np.random.default_rng(0).standard_normal((3, 4, 3, 3)).astype(np.float32)
    assert weight_digest(other) != weight_digest(2 * other)
