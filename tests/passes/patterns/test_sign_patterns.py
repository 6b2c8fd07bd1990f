"""Signs behind what moves them, pads, pooled signs and binary convolutions are known from what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns import sign_patterns
from b2nn_tvm.passes.patterns.sign_patterns import match_pad, match_pooled_signs
from b2nn_tvm.relax_query import calls, constant, definitions, op_name
from tests.support.passes.relax_functions import const, module, random_signs

SHAPE = (1, 6, 5, 4)  # NHWC
SIGNS = random_signs((3, 3, 4, 2))  # HWIO
TURNED = np.array([1, -1, 1, -1], np.float32).reshape(1, 1, 1, 4)


def last_of(body, *shapes):
    """The last call of a function, and what its variables are bound to."""
    function = module(body, *(shapes or (SHAPE,)))["main"]
    (*_, (_, call)) = calls(function)
    return call, definitions(function)


def pool(x, layout="NHWC"):
    return op.nn.max_pool2d(x, (2, 2), (2, 2), layout=layout)


def conv(x, weight=SIGNS, **options):
    return op.nn.conv2d(x, const(weight), data_layout="NHWC", kernel_layout="HWIO", **options)


def pad(x, value, widths=(0, 0, 1, 2, 0, 1, 0, 0)):
    return op.nn.pad(x, list(widths), "constant", value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (op.sign, True),
        (lambda x: op.reshape(op.permute_dims(pool(pad(op.sign(x), 1))), (48,)), True),
        (lambda x: op.nn.relu(op.sign(x)), False),
        (pool, False),
        (lambda x: op.nn.avg_pool2d(op.sign(x), (2, 2), layout="NHWC"), False),
    ],
    ids=["sign", "moved", "relu", "pooled floats", "averaged"],
)
def test_signs_are_signs_wherever_they_are_moved(body, expected):
    assert sign_patterns.is_signed(*last_of(body)) is expected


def test_the_parts_of_a_pad():
    call, _ = last_of(lambda x: pad(x, -1))
    found = match_pad(call)
    assert found.widths == ((0, 0), (1, 2), (0, 1), (0, 0)) and found.value == -1.0
    assert found.data.same_as(call.args[0])
    assert match_pad(last_of(lambda x: op.nn.pad(x, [0, 0, 1, 1, 1, 1, 0, 0], "reflect"))[0]) is None
    assert match_pad(last_of(op.sign)[0]) is None


def test_a_pad_that_is_made_is_matched():
    widths = ((0, 0), (2, 0), (1, 3), (0, 0))
    call, _ = last_of(lambda x: sign_patterns.make_pad(x, widths, 1.0))
    assert (match_pad(call).widths, match_pad(call).value) == (widths, 1.0)


def test_pooled_signs_and_which_of_them_are_turned():
    plain = match_pooled_signs(*last_of(lambda x: pool(op.sign(x))))
    assert (op_name(plain.pool), op_name(plain.sign)) == ("relax.nn.max_pool2d", "relax.sign")
    np.testing.assert_array_equal(plain.flips, [1, 1, 1, 1])
    turned = match_pooled_signs(*last_of(lambda x: op.multiply(pool(op.sign(x)), const(TURNED))))
    np.testing.assert_array_equal(turned.flips, TURNED.reshape(-1))
    for factor in (-1.0, [[[[-1.0]]]]):
        all_turned = match_pooled_signs(*last_of(lambda x: op.multiply(pool(op.sign(x)), const(factor))))  # noqa: B023
        np.testing.assert_array_equal(all_turned.flips, [-1, -1, -1, -1])


@pytest.mark.parametrize(
    "body",
    [
        op.sign,
        pool,
        lambda x: pool(op.sign(x), "NCHW"),
        lambda x: op.multiply(pool(op.sign(x)), const(2 * TURNED)),
        lambda x: op.multiply(pool(op.sign(x)), const(random_signs((1, 3, 2, 4)))),
        lambda x: op.multiply(op.sign(x), const(TURNED)),
    ],
    ids=["no pooling", "floats", "channels first", "scaled", "turned per pixel", "turned signs"],
)
def test_what_is_no_pooling_of_signs(body):
    assert match_pooled_signs(*last_of(body)) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda x: conv(op.sign(x)), True),
        (lambda x: conv(op.sign(x), padding=1), True),
        (lambda x: conv(pad(op.sign(x), 1)), True),
        (lambda x: conv(pad(pool(op.sign(x)), -1)), True),
        (lambda x: conv(op.multiply(pool(op.sign(x)), const(TURNED)), padding=1), True),
        (lambda x: conv(pad(op.sign(x), 0)), False),
        (lambda x: conv(pad(op.sign(x), 1), padding=1), False),
        (lambda x: conv(pad(op.sign(x), 1, (0, 0, 1, 1, 1, 1, 1, 0)), random_signs((3, 3, 5, 2))), False),
        (lambda x: conv(op.sign(x), 0.5 * SIGNS), False),
        (lambda x: conv(op.sign(x), random_signs((3, 3, 2, 4)), groups=2), False),
        (conv, False),
        (op.sign, False),
    ],
    ids=[
        "plain",
        "padded with 0",
        "padded with +1",
        "pooled, padded with -1",
        "pooled and turned",
        "a pad of 0 in front",
        "padded twice",
        "padded channels",
        "scaled weights",
        "groups",
        "float input",
        "no convolution",
    ],
)
def test_a_binary_convolution_is_in_canonical_form(body, expected):
    assert sign_patterns.is_binary_conv(*last_of(body)) is expected


def test_a_convolution_by_weights_that_are_an_input_is_not_binary():
    body = lambda x, w: op.nn.conv2d(op.sign(x), w, data_layout="NHWC", kernel_layout="HWIO")
    assert not sign_patterns.is_binary_conv(*last_of(body, SHAPE, SIGNS.shape))


@pytest.mark.parametrize(
    ("weight", "groups", "expected"),
    [
        (SIGNS, 1, True),
        (random_signs((1, 1, 4, 2)), 1, True),
        (2 * SIGNS, 1, False),
        (random_signs((3, 3, 2, 4)), 2, True),
        (random_signs((3, 3, 1, 4)), 4, False),
    ],
    ids=["3x3", "1x1", "scaled", "groups", "depthwise"],
)
def test_weights_are_binary_whatever_they_are_convolved_with(weight, groups, expected):
    call, _ = last_of(lambda x: conv(x, weight, groups=groups))
    assert sign_patterns.has_binary_weights(call, sign_patterns.oihw(weight, "HWIO")) is expected


def test_one_weight_per_filter_is_a_scale_and_no_weight_is_none():
    call, _ = last_of(lambda x: conv(x, random_signs((1, 1, 1, 2))), (1, 6, 5, 1))
    assert not sign_patterns.has_binary_weights(call, sign_patterns.oihw(constant(call.args[1]), "HWIO"))
    assert not sign_patterns.has_binary_weights(call, None)


def test_weights_and_axes_of_any_layout():
    weight = np.arange(24).reshape(1, 2, 3, 4)  # HWIO
    found = sign_patterns.oihw(weight, "HWIO")
    assert found.shape == (4, 3, 1, 2) and found[3, 1, 0, 1] == weight[0, 1, 1, 3]
    np.testing.assert_array_equal(sign_patterns.oihw(found, "OIHW"), found)
    assert (sign_patterns.spatial_axes("NCHW"), sign_patterns.spatial_axes("NHWC")) == ((2, 3), (1, 2))
