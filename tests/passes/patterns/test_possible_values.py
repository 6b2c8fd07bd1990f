"""Values that a tensor often has are told from those that it meets by accident."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.possible_values import PossibleValues, Values
from b2nn_tvm.relax_query import calls, definitions
from tests.support.passes.relax_functions import SHAPE, const, module, random_signs

ZERO, ONE, MINUS_ONE = const(0), const(1), const(-1)
FLOATS = const(np.random.default_rng(0).standard_normal((4, 4, 3, 3)))
SIGNS = const(random_signs((4, 4, 3, 3)))
SHIFTS = const(np.array([0.5, 0, -1, 2]).reshape(1, 4, 1, 1))
NEW = const(np.array([0.5, 3, -1, 2]).reshape(1, 4, 1, 1))


def values_of(body, *shapes):
    mod = module(body, *shapes)
    (*_, (var, _)) = calls(mod["main"])
    return PossibleValues(definitions(mod["main"]), mod).of(var)


def conv(x, weight=FLOATS):
    return op.nn.conv2d(x, weight, padding=1)


def zero_is_structural(body, *shapes):
    found = values_of(body, *shapes)
    return found is None or found.within(np.zeros(1), np.full(1, 1e-45), -1)


ACCIDENT = {
    "float convolution": conv,
    "batch norm": lambda x: op.add(op.multiply(conv(x), NEW), SHIFTS),
    "bias behind a ReLU": lambda x: op.add(op.nn.relu(x), NEW),
    "pooled": lambda x: op.nn.max_pool2d(conv(x), (3, 3), (2, 2), (1, 1)),
    "residual": lambda x: op.add(op.nn.relu(x), conv(x)),
    "leaky": lambda x: op.nn.leakyrelu(conv(x), 0.1),
    "averaged": lambda x: op.nn.avg_pool2d(conv(x), (2, 2)),
    "normalized images": lambda x: op.divide(
        op.subtract(conv(x), op.mean(conv(x), [2, 3], True)),
        op.sqrt(op.add(op.variance(conv(x), [2, 3], True), const(0.1))),
    ),
    "sums of signs, shifted": lambda x: op.add(op.multiply(conv(op.sign(x), SIGNS), const(0.37)), const(0.01)),
    "concatenated": lambda x: op.concat([conv(x), op.add(op.nn.relu(x), NEW)], axis=1),
}
STRUCTURE = {
    "the input": lambda x: op.multiply(x, ONE),
    "ReLU": lambda x: op.nn.relu(conv(x)),
    "clip": lambda x: op.clip(conv(x), 0, 6),
    "pooled ReLU": lambda x: op.nn.max_pool2d(op.nn.relu(conv(x)), (2, 2)),
    "averaged ReLU": lambda x: op.nn.avg_pool2d(op.nn.relu(conv(x)), (2, 2)),
    "padded": lambda x: op.nn.pad(conv(x), [0, 0, 0, 0, 1, 1, 1, 1], "constant", 0.0),
    "sums of signs": lambda x: conv(op.sign(x), SIGNS),
    "scaled sums": lambda x: op.multiply(conv(op.sign(x), SIGNS), SHIFTS),
    "sums with a whole bias": lambda x: op.add(conv(op.sign(x), SIGNS), const(4)),
    "a channel without bias": lambda x: op.add(op.nn.relu(x), SHIFTS),
    "a flat slope": lambda x: op.nn.prelu(conv(x), const(np.array([0.1, 0, 0.2, 1])), 1),
    "rounded": lambda x: op.round(conv(x)),
    "concatenated": lambda x: op.concat([conv(x), op.nn.relu(x)], axis=1),
    "gated": lambda x: op.multiply(conv(x), op.nn.relu(x)),
    "unknown operator": lambda x: op.cumsum(conv(x), axis=1),
}


@pytest.mark.parametrize("name", ACCIDENT)
def test_zero_by_accident(name):
    assert not zero_is_structural(ACCIDENT[name])


@pytest.mark.parametrize("name", STRUCTURE)
def test_zero_by_structure(name):
    assert zero_is_structural(STRUCTURE[name])


def few(body, *shapes):
    mod = module(body, *shapes)
    (*_, (var, _)) = calls(mod["main"])
    found = PossibleValues(definitions(mod["main"]), mod).few(var)
    return None if found is None else found.tolist()


def sign(x):
    return op.where(op.greater_equal(x, ZERO), ONE, MINUS_ONE)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda x, y: op.concat([sign(x), op.multiply(op.sign(y), MINUS_ONE)], axis=1), [-1, 1]),
        (lambda x, y: op.split(op.round(op.clip(x, 0, 1)), 2, axis=1)[0], [0, 1]),
        (lambda x, y: op.image.resize2d(sign(x), (12, 10), layout="NCHW", method="nearest_neighbor"), [-1, 1]),
        (lambda x, y: op.nn.pad(sign(x), [0, 0, 0, 0, 1, 1, 1, 1], "constant", 0.0), [-1, 0, 1]),
        (lambda x, y: op.where(op.greater(x, y), sign(x), sign(y)), [-1, 1]),
        (lambda x, y: op.multiply(sign(x), sign(y)), [-1, 1]),
        (lambda x, y: op.add(sign(x), sign(y)), [-2, 0, 2]),
        (lambda x, y: op.where(op.greater(x, y), ONE, MINUS_ONE), [-1, 1]),
        (lambda x, y: op.argmax(op.stack([x, y], axis=0), axis=0), [0, 1]),
        (lambda x, y: op.argmin(x, axis=1, keepdims=True), [0, 1, 2, 3]),
        (lambda x, y: op.argmax(op.tile(x, [1, 20, 1, 1]), axis=1), None),
        (lambda x, y: op.add(sign(x), y), None),
        (lambda x, y: op.nn.avg_pool2d(sign(x), (2, 2)), None),
    ],
)
def test_few_values_pass_what_moves_them(body, expected):
    assert few(body, SHAPE, SHAPE) == expected


def test_channels_are_compared_with_their_own_limits():
    values = Values(np.array([[0.0], [1.0]]), True)
    assert not values.within(np.array([1.0, 0.0]), np.array([2.0, 0.5]), 1)
    assert values.within(np.array([0.0, 0.0]), np.array([0.5, 0.5]), 1)
    assert values.within(np.array([1.0, 0.0]), np.array([2.0, 0.5]), 3)  # along another axis, all are compared
