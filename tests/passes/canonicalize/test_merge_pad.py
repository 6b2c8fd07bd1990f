import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.merge_pad import MergePad
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
THRESHOLD = np.array([0.25, 0.5, 1, 1], np.float32).reshape(1, 4, 1, 1)
TOP, BOTTOM, LEFT, RIGHT = 1, 2, 3, 0


def pad(x, value, widths=(0, 0, 0, 0, TOP, BOTTOM, LEFT, RIGHT)):
    return op.nn.pad(x, list(widths), "constant", value)


def conv(x, padding=(0, 0, 0, 0)):
    return op.nn.conv2d(x, WEIGHT, (2, 1), padding, (1, 2))


def test_zeros_become_the_padding_of_the_convolution():
    assert_becomes(
        MergePad(context()),
        lambda x: conv(pad(op.sign(x), 0.0)),
        lambda x: conv(op.sign(x), (TOP, LEFT, BOTTOM, RIGHT)),
    )


def test_zeros_add_to_the_padding_of_the_convolution():
    assert_becomes(
        MergePad(context()),
        lambda x: conv(pad(x, 0.0), (1, 1, 2, 2)),
        lambda x: conv(x, (TOP + 1, LEFT + 1, BOTTOM + 2, RIGHT + 2)),
    )


def test_padding_before_a_sign_becomes_padding_of_signs():
    assert_becomes(MergePad(context()), lambda x: op.sign(pad(x, 0.0)), lambda x: pad(op.sign(x), 1.0))
    assert_becomes(MergePad(context()), lambda x: op.sign(pad(x, -0.5)), lambda x: pad(op.sign(x), -1.0))
    assert_becomes(
        MergePad(context()),
        lambda x: op.sign(op.subtract(pad(x, 0.0), const(THRESHOLD))),
        lambda x: pad(op.sign(op.subtract(x, const(THRESHOLD))), -1.0),
    )


def test_padding_whose_sign_differs_between_channels_stays_before_the_sign():
    assert_stays(MergePad(context()), lambda x: op.sign(op.subtract(pad(x, 0.5), const(THRESHOLD))))


def test_equal_paddings_are_one():
    assert_becomes(
        MergePad(context()),
        lambda x: pad(pad(x, 2.0), 2.0),
        lambda x: pad(x, 2.0, (0, 0, 0, 0, 2 * TOP, 2 * BOTTOM, 2 * LEFT, 2 * RIGHT)),
    )


def test_what_cannot_be_merged_stays():
    assert_stays(MergePad(context()), lambda x: conv(pad(op.sign(x), -1.0)))
    assert_stays(MergePad(context()), lambda x: conv(pad(op.sign(x), -1.0), (1, 1, 1, 1)))
    assert_stays(MergePad(context()), lambda x: pad(pad(x, 1.0), 0.0))
    assert_stays(MergePad(context()), lambda x: conv(op.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], "reflect")))
    channels = (0, 0, 1, 0, 0, 0, 0, 0)
    assert_stays(MergePad(context()), lambda x: conv(pad(x, 0.0, channels)), (1, 3, 6, 5))


@pytest.mark.compiles
@pytest.mark.parametrize("value", [0.0, -0.25])
@pytest.mark.parametrize("where", ["before", "behind"])
def test_the_numbers_are_the_same(where, value):
    before = module(lambda x: conv(op.sign(pad(x, value)) if where == "before" else pad(op.sign(x), value)))
    x = random_input()
    np.testing.assert_array_equal(run(MergePad(context())(before), x), run(before, x))
