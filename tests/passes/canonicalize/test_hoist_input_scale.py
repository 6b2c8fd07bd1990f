import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.hoist_input_scale import HoistInputScale
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

WEIGHT = const(random_signs((3, 4, 3, 3)))
SCALE = const(0.5)


def conv(x):
    return op.nn.conv2d(x, WEIGHT, padding=1)


def pad(x, value):
    return op.nn.pad(x, [0, 0, 0, 0, 1, 2, 0, 1], "constant", value)


def test_a_scale_passes_the_convolution():
    assert_becomes(
        HoistInputScale(context()),
        lambda x: conv(op.multiply(op.sign(x), SCALE)),
        lambda x: op.multiply(conv(op.sign(x)), SCALE),
    )


def test_a_scale_passes_padding_pooling_and_transposes():
    axes = [0, 1, 3, 2]
    assert_becomes(
        HoistInputScale(context()),
        lambda x: conv(pad(op.permute_dims(op.nn.max_pool2d(op.multiply(op.sign(x), SCALE), (2, 2)), axes), -0.5)),
        lambda x: op.multiply(conv(pad(op.permute_dims(op.nn.max_pool2d(op.sign(x), (2, 2)), axes), -1.0)), SCALE),
    )


def test_a_negative_scale_does_not_pass_max_pooling():
    assert_stays(HoistInputScale(context()), lambda x: op.nn.max_pool2d(op.multiply(op.sign(x), const(-1)), (2, 2)))


def test_scales_of_anything_but_signs_stay():
    assert_stays(HoistInputScale(context()), lambda x: conv(op.multiply(op.nn.relu(x), SCALE)))
    assert_stays(
        HoistInputScale(context()), lambda x: conv(op.multiply(op.sign(x), const(np.arange(1, 5).reshape(1, 4, 1, 1))))
    )
    assert_stays(HoistInputScale(context()), lambda x: conv(op.multiply(op.sign(x), const(0))))


@pytest.mark.compiles
@pytest.mark.parametrize("scale", [0.5, -1])
def test_the_numbers_are_the_same(scale):
    before = module(lambda x: conv(pad(op.multiply(op.sign(x), const(scale)), 0.25)))
    after = HoistInputScale(context())(before)
    x = random_input()
    np.testing.assert_array_equal(run(after, x), run(before, x))  # exact: all products are multiples of 1/4
