"""Scales behind the sums of 8-bit layers."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.lower.fold_requantize import FoldRequantize
from tests.support.passes.codes import codes, numbers
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

SHAPE = (1, 6, 5, 4)
A, B = np.array([0.5, 2, 3, 0.1], np.float32).reshape(1, 1, 1, 4), np.float32(1.7)


def fold(mod):
    return FoldRequantize(context())(mod)


def sums(x):
    return op.astype(op.astype(op.multiply(x, const(4)), "int32"), "float32")


def scaled(x, by=A):
    return op.multiply(sums(x), const(by))


def test_two_scales_become_one():
    assert_becomes(fold, lambda x: op.multiply(scaled(x), const(B)), lambda x: scaled(x, A * B), SHAPE)


def test_a_division_behind_sums_is_a_multiplication():
    before = lambda x: op.round(op.divide(op.nn.relu(op.add(scaled(x), const(3))), const(0.3)))
    after = lambda x: op.round(op.multiply(op.nn.relu(op.add(scaled(x), const(3))), const(1 / np.float32(0.3))))
    assert_becomes(fold, before, after, SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_allclose(run(fold(module(before, SHAPE)), x), run(module(before, SHAPE), x), atol=1)


def test_other_divisions_and_products_stay():
    """What is no sum of integers, a divisor for each channel, a division by zero, and a product with a tensor."""
    assert_stays(fold, lambda x: op.divide(op.nn.relu(x), const(0.3)), SHAPE)
    assert_stays(fold, lambda x: op.divide(scaled(x), const(A)), SHAPE)
    assert_stays(fold, lambda x: op.divide(scaled(x), const(0)), SHAPE)
    assert_stays(fold, lambda x: op.multiply(scaled(x), x), SHAPE)
    assert_stays(fold, lambda x: op.multiply(op.multiply(x, const(A)), const(B)), SHAPE)


@pytest.mark.parametrize(("zero", "scale"), [(0, 0.25), (130, np.nextafter(np.float32(0.25), 1))])
def test_codes_of_codes_are_the_codes(zero, scale):
    """A scale that differs by the rounding of float32 gives the same whole numbers, which lie within their bounds."""
    before = lambda x: codes(numbers(codes(x, zero=zero), zero=zero), scale, zero)

    def after(x):
        once = codes(x, zero=zero)
        return op.add(op.subtract(once, const(zero)), const(zero)) if zero else once

    assert_becomes(fold, before, after, SHAPE)
    x = random_input(SHAPE) * 40
    np.testing.assert_array_equal(run(fold(module(before, SHAPE)), x), run(module(before, SHAPE), x))


@pytest.mark.parametrize(("low", "high"), [(1, 255), (0, 254)])
def test_bounds_that_cut_codes_off_stay(low, high):
    assert_stays(fold, lambda x: op.clip(op.subtract(codes(x), const(3)), low - 3, high - 3), SHAPE)
    assert_stays(fold, lambda x: op.clip(numbers(codes(x)), low, high), SHAPE)
    assert_stays(fold, lambda x: op.minimum(op.maximum(codes(x), const(1)), const(254)), SHAPE)
    assert_stays(fold, lambda x: op.maximum(codes(x), x), SHAPE)


def test_bounds_may_be_written_as_maximum_and_minimum():
    assert_becomes(fold, lambda x: op.minimum(op.maximum(codes(x), const(0)), const(255)), codes, SHAPE)


@pytest.mark.parametrize(("kind", "shift"), [("uint8", 0), ("int8", 128), ("int16", 7)])
def test_codes_in_memory_are_not_stored_again(kind, shift):
    def stored(x):
        return op.astype(op.subtract(codes(x), const(shift)) if shift else codes(x), kind)

    def before(x):
        numbers = op.astype(stored(x), "float32")
        less = op.subtract(op.add(numbers, const(shift)), const(shift)) if shift else numbers
        return op.astype(less, kind)

    assert_becomes(fold, before, stored, SHAPE)


def test_codes_are_stored_anew_as_others():
    """Less a number, or in another type."""
    again = lambda x, kind: op.astype(op.astype(op.astype(codes(x), "uint8"), "float32"), kind)
    assert_stays(fold, lambda x: again(x, "int16"), SHAPE)
    less = lambda x: op.subtract(op.astype(op.astype(codes(x), "uint8"), "float32"), const(1))
    assert_stays(fold, lambda x: op.astype(less(x), "uint8"), SHAPE)


def test_codes_of_another_scale_are_made_anew():
    assert_stays(fold, lambda x: codes(numbers(codes(x, 0.25), 0.25), 0.2505), SHAPE)
