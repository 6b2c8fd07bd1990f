"""What is proved to rise, to fall or to be constant does so at all numbers that are tried."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.chain import chains
from b2nn_tvm.passes.patterns.float_order import LARGEST, float_of, order_of
from b2nn_tvm.passes.patterns.monotone import CONSTANT, FALLS, RISES, UNKNOWN, movement
from b2nn_tvm.relax_query import calls, definitions, dtype
from tests.support.passes.random_chains import random_chain
from tests.support.passes.relax_functions import const, module

ONE = const(1)


def chain_of(body):
    function = module(body)["main"]
    (*_, (var, _)) = calls(function)
    (*_, chain) = (c for c in chains(var, definitions(function)) if dtype(c.root) == "float32")
    return chain


def direction(body, low, high):
    found = movement(chain_of(body), np.float32([[low]]), np.float32([[high]]))
    return found.directions[-1].item()


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.sweep) for turn in range(1, 40))])
def test_directions_hold_for_random_chains(turn):
    rng = np.random.default_rng(turn)
    proved = 0
    for seed in range(20):
        function = module(random_chain(1000 + 20 * turn + seed))["main"]
        (*_, (var, _)) = calls(function)
        for chain in list(chains(var, definitions(function)))[-1:]:
            ends = np.sort(order_of((rng.standard_normal((chain.channels, 12, 2)) * 2).astype(np.float32)), axis=2)
            ends[:, :3] = [[-LARGEST - 1, -2], [1, LARGEST], [-1, 0]]
            low, high = ends[..., 0], ends[..., 1]
            found = movement(chain, float_of(low), float_of(high))
            tried = np.sort(rng.integers(low, high, (40, *low.shape), endpoint=True), axis=0)
            values = [chain.evaluate(float_of(place)) for place in (low, *tried, high)]
            for step, directions in enumerate(found.directions):
                line = np.stack([value[step] for value in values]).astype(np.float64)
                for kind, holds in ((RISES, line[1:] >= line[:-1]), (FALLS, line[1:] <= line[:-1])):
                    assert holds[:, directions == kind].all()
                    proved += (directions == kind).sum()
                assert (line[1:] == line[:-1])[:, (directions == CONSTANT) & (low < high)].all()
    assert proved > 300


@pytest.mark.parametrize(
    ("body", "low", "high", "expected"),
    [
        (lambda x: op.multiply(x, const(-2)), -1, 1, FALLS),
        (lambda x: op.multiply(x, x), -2, -1, FALLS),
        (lambda x: op.multiply(x, x), -2, 1, UNKNOWN),
        (lambda x: op.divide(ONE, x), 1, 2, FALLS),
        (lambda x: op.divide(ONE, x), -1, 2, UNKNOWN),
        (lambda x: op.divide(x, op.abs(x)), 1, 2, CONSTANT),
        (lambda x: op.divide(x, op.abs(x)), 0, 2, UNKNOWN),
        (lambda x: op.subtract(x, op.nn.relu(x)), 1, 2, UNKNOWN),
        (lambda x: op.add(op.tanh(x), op.floor(x)), -3, 3, RISES),
        (lambda x: op.subtract(op.tanh(x), op.floor(x)), -3, 3, UNKNOWN),
        (lambda x: op.maximum(x, op.negative(x)), 1, 2, RISES),
        (lambda x: op.multiply(op.multiply(x, const(1e30)), const(0)), 1e10, 2e10, UNKNOWN),  # infinity times zero
        (op.sqrt, -1, 1, UNKNOWN),
        (op.isnan, -1, 1, CONSTANT),
        (lambda x: op.isnan(op.sqrt(x)), -1, 1, UNKNOWN),
        (lambda x: op.isinf(op.exp(x)), 1, 100, UNKNOWN),
        (lambda x: op.power(x, const(3)), 1, 2, UNKNOWN),
        (lambda x: op.nn.leakyrelu(x, -0.5), -1, 1, UNKNOWN),
    ],
)
def test_rules(body, low, high, expected):
    assert direction(body, low, high) == expected


def test_a_cut_is_asked_for_where_an_operand_turns():
    chain = chain_of(op.abs)
    found = movement(chain, np.float32([[-1]]), np.float32([[2]]))
    values = chain.evaluate(np.float32([[-1, 0, 2]]), found.cut.last)
    np.testing.assert_array_equal(found.cut.test(values), [[False, True, True]])
    assert movement(chain, np.float32([[1]]), np.float32([[2]])).cut is None
