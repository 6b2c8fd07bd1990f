import numpy as np
import pytest
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.binary.fold_activation import FoldActivation, activation, input_threshold
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

SHAPE = (1, 6, 5, 4)  # NHWC
THRESHOLD = np.array([0.25, -0.5, 0, 1], np.float32).reshape(1, 1, 1, 4)
SLOPE = np.array([0.25, 0, 2, 1], np.float32)
INF, LOWEST = np.float32(np.inf), np.finfo(np.float32).min  # a slope of 0 makes NaN of -inf, which reaches nothing


def sign(x, threshold=THRESHOLD):
    return op.sign(op.subtract(x, const(threshold)))


def limited(x, *limits):
    return sign(x, np.array(limits, np.float32).reshape(1, 1, 1, -1))


def apply(before):
    return FoldActivation(context())(before)


BECOMES = {
    "a bound below the threshold": (lambda x: op.sign(op.maximum(x, const(-1))), op.sign),
    "a bound above the threshold": (lambda x: op.sign(op.maximum(x, const(0.5))), lambda x: limited(x, -INF)),
    "relu and a threshold": (lambda x: sign(op.nn.relu(x)), lambda x: limited(x, 0.25, -INF, -INF, 1)),
    "an upper bound per channel": (
        lambda x: sign(op.minimum(x, const([[[[0, 0, 0, 0]]]]))),
        lambda x: limited(x, INF, -0.5, 0, INF),
    ),
    "clip": (lambda x: sign(op.clip(x, -0.5, 0.5)), lambda x: limited(x, 0.25, -INF, 0, INF)),
    "leaky relu": (lambda x: sign(op.nn.leakyrelu(x, 0.5)), lambda x: limited(x, 0.25, -1, -(2.0**-149), 1)),
    "prelu": (lambda x: sign(op.nn.prelu(x, const(SLOPE), 3)), lambda x: limited(x, 0.25, LOWEST, 0, 1)),
    "one on the other": (
        lambda x: sign(op.nn.relu(op.minimum(x, const(0.5)))),
        lambda x: limited(x, 0.25, -INF, -INF, INF),
    ),
}


@pytest.mark.parametrize("name", BECOMES)
def test_becomes(name):
    assert_becomes(apply, *BECOMES[name], SHAPE)


def test_rows_of_a_dense_layer():
    assert_becomes(
        apply,
        lambda x: op.sign(op.subtract(op.nn.relu(x), const([[0.5, -1, 2]]))),
        lambda x: op.sign(op.subtract(x, const([[0.5, -INF, 2]]))),
        (2, 3),
    )


def second_reader(x):
    y = op.nn.relu(x)
    return op.add(sign(y), y)


STAYS = {
    "the activation has a second reader": second_reader,
    "a falling slope": lambda x: sign(op.nn.prelu(x, const(-SLOPE), 3)),
    "a slope along the rows": lambda x: sign(op.nn.prelu(x, const(np.ones(6)), 1)),
    "a bound per pixel": lambda x: sign(op.maximum(x, const(random_input((1, 6, 5, 1))))),
    "a threshold per pixel": lambda x: sign(op.nn.relu(x), random_input((1, 6, 5, 1))),
    "the maximum of two tensors": lambda x: sign(op.maximum(x, op.exp(x))),
    "an activation that may fall": lambda x: sign(op.nn.gelu(x)),
    "no activation": sign,
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(why):
    assert_stays(apply, STAYS[why], SHAPE)


def test_an_activation_behind_a_second_reader_stays():
    def before(x):
        y = op.nn.relu(x)
        return op.add(sign(op.minimum(y, const(8))), y)

    def after(x):
        y = op.nn.relu(x)
        return op.add(sign(y), y)

    assert_becomes(apply, before, after, SHAPE)


def test_the_numbers_are_the_same():
    before = module(lambda x: op.concat([body(x) for body, _ in BECOMES.values()], axis=3), SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(apply(before), x), run(before, x))


@pytest.mark.parametrize("slope", [0.25, 0.1, 1 / 3, 3])
def test_the_threshold_is_exact_to_the_last_bit(slope):
    """For random thresholds, subnormal ones too: at t' the activation reaches t, at the next float below it does
    not.
    """
    rng = np.random.default_rng(0)
    sizes = np.array([1e-45, 1e-40, 1e-20, 1, 1e20])
    threshold = (rng.choice(sizes, 400) * rng.standard_normal(400)).astype(np.float32)
    x = relax.Var("x", relax.TensorType((1, 400), "float32"))
    prelu = relax.BlockBuilder().normalize(op.nn.prelu(x, const(np.full(400, slope)), 1))
    function = activation(prelu)
    limit = input_threshold([function], threshold)
    assert limit.dtype == np.float32
    assert (function(limit) >= threshold).all()
    assert (function(np.nextafter(limit, -INF)) < threshold).all()
