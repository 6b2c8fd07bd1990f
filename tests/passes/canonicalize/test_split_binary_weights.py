import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.split_binary_weights import SplitBinaryWeights
from b2nn_tvm.provenance.layer_names import NamedLayer, split_sign_and_scale, weight_digest
from b2nn_tvm.relax_query import calls, op_name
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
    one_weight = lambda x: op.nn.conv2d(x, const(np.full((3, 1, 1, 1), 2.0)))
    assert_stays(SplitBinaryWeights(context()), one_weight, (1, 1, 6, 5))


@pytest.mark.compiles
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


TERNARY = np.random.default_rng(2).integers(-1, 2, (3, 4, 3, 3)).astype(np.float32)


def test_two_values_are_signs_and_a_box_sum():
    weight = SIGNS * 0.75 + np.array([0.25, 0, -0.5], np.float32).reshape(3, 1, 1, 1)
    ones = np.ones((1, 4, 3, 3), np.float32)
    scaled = lambda x, filters, scale: op.multiply(conv(x, filters), const(np.reshape(scale, (1, 3, 1, 1))))
    assert_becomes(
        SplitBinaryWeights(context()),
        lambda x: conv(op.sign(x), weight),
        lambda x: (lambda s: op.add(scaled(s, SIGNS, np.full(3, 0.75)), scaled(s, ones, [0.25, 0, -0.5])))(op.sign(x)),
    )


def test_ternary_weights_are_two_planes_that_have_names_of_their_own():
    own = context(layers=[NamedLayer("c", "conv2d", weight_digest(TERNARY))])
    before = module(lambda x: conv(op.sign(x), TERNARY))
    after = SplitBinaryWeights(own)(before)
    x = random_input()
    np.testing.assert_array_equal(run(after, x), run(before, x))
    planes = [
        convolved.args[1].value.numpy() for _, convolved in calls(after["main"]) if "conv2d" in op_name(convolved)
    ]
    assert len(planes) == 2 and all((np.abs(plane) == 1).all() for plane in planes)
    named = {layer.digest: layer.name for layer in own.layers}
    assert [named[weight_digest(plane)] for plane in planes] == ["c", "c.second_plane"]


def test_weights_of_several_values_stay_where_the_input_is_no_sign():
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(x, TERNARY))
    assert_stays(SplitBinaryWeights(context()), lambda x: conv(x, SIGNS * 0.75 + 0.25))


@pytest.mark.parametrize("channels", [16, 8])
@pytest.mark.parametrize("of_signs", [True, False])
def test_the_weights_of_groups_are_split(channels, of_signs):
    weight, image = random_signs((4, channels, 3, 3)), op.sign if of_signs else op.nn.relu
    grouped = lambda scale: lambda x: op.nn.conv2d(image(x), const(scale * weight), groups=2)
    expected = lambda x: op.multiply(grouped(1)(x), const(np.full((1, 4, 1, 1), 2)))
    assert_becomes(SplitBinaryWeights(context()), grouped(2), expected, (1, 2 * channels, 5, 5))


def test_depthwise_weights_and_narrow_groups_of_three_values_stay():
    depthwise = lambda x: op.nn.conv2d(op.sign(x), const(2 * random_signs((4, 1, 3, 3))), groups=4)
    assert_stays(SplitBinaryWeights(context()), depthwise)
    ternary = lambda x: op.nn.conv2d(op.sign(x), const(TERNARY[:2]), groups=2)
    assert_stays(SplitBinaryWeights(context()), ternary, (1, 8, 5, 5))
