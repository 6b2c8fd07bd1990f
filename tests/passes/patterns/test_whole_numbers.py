"""Which tensors are known to hold codes, and which weights to be whole numbers times a scale."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.whole_numbers import codes_range, split_whole_weights
from b2nn_tvm.relax_query import definitions
from tests.support.passes.relax_functions import const, module

RANGES = {
    "uint8 with a zero point": (lambda x: op.clip(op.add(op.round(x), const(7)), 0, 255), (0, 255)),
    "int8": (lambda x: op.clip(op.round(op.divide(x, const(0.1))), -128, 127), (-128, 127)),
    "clipped before it is rounded": (lambda x: op.round(op.clip(x, -7.5, 7.0)), (-8, 7)),
    "maximum and minimum": (lambda x: op.minimum(op.maximum(const(-3), op.floor(x)), const(4)), (-3, 4)),
    "moved and pooled": (
        lambda x: op.reshape(op.nn.max_pool2d(op.clip(op.round(x), 0, 15), (2, 2), (2, 2)), (1, 24)),
        (0, 15),
    ),
    "less its zero point": (lambda x: op.subtract(op.clip(op.round(x), 0, 255), const(128)), (-128, 127)),
    "bytes": (lambda x: op.astype(op.astype(x, "uint8"), "float32"), (0, 255)),
    "few codes as bytes": (lambda x: op.astype(op.clip(op.round(x), 0, 3), "uint8"), (0, 3)),
    "codes that bytes do not hold": (lambda x: op.astype(op.clip(op.round(x), -1, 3), "uint8"), (0, 255)),
    "counted along an axis": (
        lambda x: op.sum(op.astype(op.greater_equal(op.expand_dims(x, 4), const(np.arange(255))), "float32"), axis=4),
        (0, 255),
    ),
    "counted one by one": (
        lambda x: op.add(
            op.astype(op.greater_equal(x, const(0)), "float32"), op.astype(op.less(x, const(3)), "float32")
        ),
        (0, 2),
    ),
    "rounded and activated": (lambda x: op.nn.relu(op.clip(op.round(x), -128, 127)), (0, 127)),
}
UNKNOWN = {
    "not rounded": lambda x: op.clip(x, 0, 255),
    "not bounded": op.round,
    "bounded on one side": lambda x: op.nn.relu(op.round(x)),
    "more than 8 bits": lambda x: op.clip(op.round(x), 0, 256),
    "a bound that is no whole number": lambda x: op.clip(op.round(x), 0, 2.5),
    "shifted by a half": lambda x: op.add(op.clip(op.round(x), 0, 255), const(0.5)),
    "a number less codes": lambda x: op.subtract(const(3), op.clip(op.round(x), 0, 255)),
    "scaled": lambda x: op.multiply(op.clip(op.round(x), 0, 255), const(0.1)),
    "shifts of its channels": lambda x: op.add(op.clip(op.round(x), 0, 9), const(np.arange(4).reshape(1, 4, 1, 1))),
    "codes more an input": lambda x: op.add(op.clip(op.round(x), 0, 9), x),
    "an input": lambda x: x,
}


def range_of(body):
    function = module(body)["main"]
    found = codes_range(function.body.body, definitions(function))
    return None if found is None else (found.low, found.high)


@pytest.mark.parametrize("case", RANGES)
def test_codes(case):
    body, expected = RANGES[case]
    assert range_of(body) == expected


@pytest.mark.parametrize("case", UNKNOWN)
def test_no_codes(case):
    assert range_of(UNKNOWN[case]) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 3, 3, 3), (64, 32, 3, 3), (10, 512), (3, 1, 1, 1)])
def test_the_integers_are_found_again(shape):
    rng = np.random.default_rng(0)
    whole = rng.integers(-127, 128, shape)
    whole.reshape(shape[0], -1)[:, 0] = 127
    scales = rng.uniform(1e-4, 2, (shape[0],) + (1,) * (len(shape) - 1)).astype(np.float32)
    weight = whole.astype(np.float32) * scales
    integers, found = split_whole_weights(weight)
    several = whole.reshape(shape[0], -1).shape[1] > 8
    if several:
        np.testing.assert_array_equal(integers, whole)
    products = integers.astype(np.float64) * found.reshape(scales.shape)
    np.testing.assert_allclose(products, weight, rtol=2**-22, atol=0)


def test_the_least_integers_are_taken_and_channels_of_zeros_stay_zero():
    weight = np.array([[0.5, -0.25, 0.0], [0.0, 0.0, 0.0], [3.0, -3.0, 3.0], [-128.0, 127.0, 1.0]], np.float32)
    integers, scales = split_whole_weights(weight)
    np.testing.assert_array_equal(integers, [[2, -1, 0], [0, 0, 0], [1, -1, 1], [-128, 127, 1]])
    np.testing.assert_allclose(scales, [0.25, 1, 3, 1])


@pytest.mark.parametrize("off", [1e-4, -1e-4])
def test_weights_of_floats_are_none(off):
    rng = np.random.default_rng(1)
    assert split_whole_weights(rng.standard_normal((8, 16)).astype(np.float32)) is None
    weight = rng.integers(-127, 128, (8, 16)).astype(np.float32)
    weight[:, 0] = 127
    assert split_whole_weights(weight) is not None
    weight[-1, -1] += off * 127
    assert split_whole_weights(weight) is None
    assert split_whole_weights(np.array([[128.0, 1.0, 3.0]], np.float32)) is None  # +128 is no number of 8 bits
    assert split_whole_weights(np.array([[np.inf, 1.0]], np.float32)) is None
