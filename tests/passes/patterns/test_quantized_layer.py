"""Which convolutions and products are layers of 8-bit codes by 8-bit weights, and why others are none."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.framework.recorder import layer_weight
from b2nn_tvm.passes.patterns.quantized_layer import QuantizedLayer, affine_step, match_quantized_layer
from b2nn_tvm.relax_query import calls, definitions, op_name
from tests.support.passes.codes import codes, numbers, whole_weights
from tests.support.passes.convolutions import conv
from tests.support.passes.relax_functions import const, module

SHAPE = (1, 6, 5, 4)
WEIGHT, WHOLE, SCALES = whole_weights(3, 3, 4, 5)


def matched(body, *shapes):
    function = module(body, *(shapes or (SHAPE,)))["main"]
    layers = [call for _, call in calls(function) if op_name(call) in ("relax.nn.conv2d", "relax.matmul")]
    return match_quantized_layer(layers[-1], layer_weight(layers[-1]), definitions(function))


INPUTS = {
    "a zero point": (lambda x: numbers(codes(x)), 0.25, 3),
    "none": (lambda x: numbers(codes(x, zero=0), zero=0), 0.25, 0),
    "signed": (lambda x: numbers(codes(x, 0.5, -7, -128, 127), 0.5, -7), 0.5, -7),
    "one scale and one shift": (lambda x: op.add(op.multiply(codes(x), const(0.1)), const(-0.3)), 0.1, 3),
    "the codes themselves": (lambda x: codes(x, zero=0), 1, 0),
    "scaled twice": (lambda x: op.divide(numbers(codes(x)), const(2)), 0.125, 3),
}


@pytest.mark.parametrize("case", INPUTS)
def test_scale_and_zero_point_are_those_of_the_codes(case):
    body, scale, zero = INPUTS[case]
    layer = matched(lambda x: conv(body(x), WEIGHT, padding=1))
    assert isinstance(layer, QuantizedLayer)
    np.testing.assert_allclose(layer.input.scale, scale, rtol=1e-6)
    assert layer.input.zero == zero
    np.testing.assert_array_equal(layer.weight, WHOLE.transpose(3, 2, 0, 1))
    np.testing.assert_allclose(layer.scales, SCALES, rtol=1e-6)


def test_a_dense_layer_behind_a_move():
    weight, whole, _ = whole_weights(120, 7)
    layer = matched(lambda x: op.matmul(op.reshape(numbers(codes(x)), (1, 120)), const(weight)))
    assert [op_name(move) for move in layer.input.moves] == ["relax.reshape"]
    np.testing.assert_array_equal(layer.weight, whole.T)


FLOATS = {
    "float input": lambda x: conv(x, WEIGHT),
    "scales of channels": lambda x: conv(op.multiply(codes(x), const(np.arange(1, 5).reshape(1, 1, 1, 4))), WEIGHT),
    "a negative scale": lambda x: conv(op.multiply(codes(x), const(-1)), WEIGHT),
    "weights of -1 and +1, which are stored as bits": lambda x: conv(
        numbers(codes(x)), np.sign(WEIGHT) + (WEIGHT == 0)
    ),
}


@pytest.mark.parametrize("case", FLOATS)
def test_no_word_is_said_of_float_layers(case):
    assert matched(FLOATS[case]) is None


REASONS = {
    "float weights": (
        lambda x: conv(numbers(codes(x)), np.random.default_rng(0).standard_normal((3, 3, 4, 5)).astype(np.float32)),
        "its weights are no whole numbers of 8 bits",
    ),
    "a zero point between codes": (
        lambda x: conv(op.add(numbers(codes(x)), const(0.1)), WEIGHT),
        "none of them is 0: that would be the code 2.6",
    ),
    "a zero point beyond the codes": (
        lambda x: conv(op.add(numbers(codes(x)), const(1)), WEIGHT),
        "none of them is 0: that would be the code -1",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_why_a_layer_of_codes_stays_float(case):
    body, reason = REASONS[case]
    assert reason in matched(body)


def test_computed_weights():
    found = matched(lambda x, y: op.matmul(numbers(codes(x)), y), (2, 8), (8, 3))
    assert "its weights are no constants" in found


def test_sums_beyond_int32():
    """127 * 255 * 66,400 is beyond 2^31."""
    weight = np.full((66400, 1), 127 * 0.5, np.float32)
    weight[0] = 0.5
    found = matched(lambda x: op.matmul(numbers(codes(x)), const(weight)), (1, 66400))
    assert "its sums may reach 2,150," in found and "beyond int32 (2,147,483,647)" in found


def test_an_affine_step_knows_the_place_of_its_tensor():
    function = module(lambda x: op.subtract(op.multiply(const(4), x), const(2)))["main"]
    definition = definitions(function)
    last = affine_step(definition(function.body.body), definition)
    assert (last.factor, last.shift, last.place) == (1, -2, 0)
    first = affine_step(definition(last.x), definition)
    assert (first.factor, first.shift, first.place) == (4, 0, 1)
