"""Codes are known by their values; their thresholds are exact, and as far before the values as they may be."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.code_steps import Levels, code_steps, levels_of
from b2nn_tvm.passes.patterns.step_function import few_values
from b2nn_tvm.relax_query import calls, definitions, op_name
from tests.support.passes.relax_functions import const, module

SHAPE = (1, 3, 3, 4)  # NHWC
STEP = np.float32(0.37)
GAINS = np.array([0.5, 2, 1, 3], np.float32)


def quantized(x, bits=2, step=STEP):
    codes = op.clip(op.round(op.divide(x, const(step))), 0, 2**bits - 1)
    return op.multiply(codes, const(step))


def through_uint8(x):
    """QuantizeLinear, Clip and DequantizeLinear, as they are read."""
    byte = op.astype(op.clip(op.round(op.divide(x, const(STEP))), 0, 255), "uint8")
    few = op.maximum(op.minimum(byte, const(3, "uint8")), const(0, "uint8"))
    return op.multiply(op.astype(few, "float32"), const(STEP))


def dorefa(x):
    return op.divide(op.round(op.multiply(op.clip(x, 0, 1), const(7))), const(7))


def three_thresholds(x):
    bits = [op.astype(op.greater_equal(x, const(limit)), "float32") for limit in (-0.5, 0.25, 0.75)]
    return op.add(op.add(bits[0], bits[1]), bits[2])


def of_batch_norm(x):
    return quantized(op.nn.relu(op.multiply(x, const(GAINS))))


def steps_of(body, skips=lambda var: True):
    function = module(body, SHAPE)["main"]
    *_, (var, _) = calls(function)
    look = definitions(function)
    levels = levels_of(few_values(var, look))
    found = code_steps(var, levels, look, skips)
    return levels, found, op_name(look(found.source))


CASES = {
    "quantized": (quantized, 4, lambda x: np.clip(np.rint(x / STEP), 0, 3)),
    "four bits": (lambda x: quantized(x, 4), 16, lambda x: np.clip(np.rint(x / STEP), 0, 15)),
    "through uint8": (through_uint8, 4, lambda x: np.clip(np.rint(x / STEP), 0, 3)),
    "DoReFa": (dorefa, 8, lambda x: np.rint(np.clip(x, 0, 1) * np.float32(7))),
    "thresholds": (three_thresholds, 4, lambda x: sum((x >= t).astype(int) for t in (-0.5, 0.25, 0.75))),
    "batch norm": (of_batch_norm, 4, lambda x: np.clip(np.rint(np.maximum(x * GAINS, 0) / STEP), 0, 3)),
}


@pytest.mark.parametrize(("body", "codes", "expected"), CASES.values(), ids=CASES)
def test_the_thresholds_give_the_codes(body, codes, expected):
    """On both sides of every threshold, too."""
    levels, found, source = steps_of(body)
    assert (levels.codes, source) == (codes, "")
    limits = found.thresholds
    near = [np.nextafter(limits, np.float32(side)) for side in (-9, 9)]
    x = np.concatenate([limits, *near, np.linspace(-3, 7, 41, dtype=np.float32).reshape(-1, 1) + 0 * limits[:1]])
    x = np.broadcast_to(x, (len(x), 4))
    reached = (x[None] >= np.broadcast_to(limits[:, None], (len(limits), *x.shape))).sum(axis=0)
    np.testing.assert_array_equal(reached, expected(x))


def test_a_value_that_others_need_is_not_skipped():
    """The thresholds lie half-way between its levels then."""
    levels, found, source = steps_of(of_batch_norm, skips=lambda var: False)
    assert (levels.codes, source) == (4, "relax.multiply")
    np.testing.assert_allclose(found.thresholds[:, 0], STEP * np.array([0.5, 1.5, 2.5]))


def test_what_falls_is_compared_behind():
    levels, _found, source = steps_of(lambda x: quantized(op.negative(x)))
    assert (levels.codes, source) == (4, "relax.negative")


LEVELS = {
    "codes": ((0, 1, 2, 3), Levels(0, 1, 4)),
    "a gap": ((-2, -1, 1), Levels(-2, 1, 4)),
    "one value": ((3,), None),
    "uneven": ((0, 1, 2.5), None),
    "many": (tuple(range(17)), None),
    "infinite": ((0, np.inf), None),
}


@pytest.mark.parametrize(("values", "expected"), LEVELS.values(), ids=LEVELS)
def test_levels_are_equally_spaced(values, expected):
    assert levels_of(np.array(values, np.float32)) == expected


def test_values_and_their_codes():
    signed = Levels(-2 * 0.3, 0.3, 4)
    assert (signed.bits, signed.code(0), signed.code(0.3), signed.code(0.1)) == (2, 2, 3, None)
    assert signed.centre == pytest.approx(-0.15)
    assert Levels(-0.75, 0.5, 4).centre == 0
    assert Levels(0, 1, 3).code(3) == 3  # among the codes of two bits, though none of the values
    assert levels_of(None) is None
