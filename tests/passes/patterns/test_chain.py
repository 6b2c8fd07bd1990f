"""Chains are found from the nearest tensor on, and have the values of the program."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns.chain import chains
from b2nn_tvm.relax_query import calls, definitions, op_name
from tests.support.passes.random_chains import random_chain
from tests.support.passes.relax_functions import SHAPE, const, module, random_input, run

ZERO, ONE, TWO = const(0), const(1), const(2)
PER_CHANNEL = const(np.array([0.25, -0.5, 0, 1]).reshape(1, 4, 1, 1))


def chains_of(body, *shapes):
    """The chains that end in the last call, and the operators of their roots."""
    function = module(body, *shapes)["main"]
    (*_, (var, _)) = calls(function)
    look = definitions(function)
    found = list(chains(var, look))
    return found, [op_name(look(chain.root)).removeprefix("relax.") or "x" for chain in found]


def test_the_shortest_chain_comes_first():
    _, roots = chains_of(lambda x: op.add(op.multiply(op.abs(x), TWO), PER_CHANNEL))
    assert roots == ["multiply", "abs", "x"]


def test_both_paths_lead_to_the_root():
    _, roots = chains_of(lambda x: op.subtract(op.floor(op.abs(x)), op.multiply(op.abs(x), TWO)))
    assert roots == ["x"]  # the two absolute values are two calls
    cast = lambda v: op.astype(v, "float32")
    _, roots = chains_of(lambda x: op.subtract(cast(op.greater(x, ZERO)), cast(op.less(x, ZERO))))
    assert roots == ["x"]


def test_two_tensors_have_no_chain():
    assert chains_of(lambda x, y: op.nn.relu(op.add(x, y)), SHAPE, SHAPE)[1] == ["add"]
    assert chains_of(lambda x: op.add(x, op.nn.softmax(x)))[1] == []


@pytest.mark.parametrize(
    "body",
    [
        lambda s, g: op.add(op.subtract(s, g), g),
        lambda s, g: op.add(g, op.subtract(s, g)),
        lambda s, g: op.subtract(op.add(s, g), g),
        lambda s, g: op.subtract(op.add(g, s), g),
        lambda s, g: op.add(g, op.add(op.negative(g), s)),
        lambda s, g: op.add(op.add(s, op.multiply(g, const(-1))), g),
        lambda s, g: op.add(g, op.add(op.add(s, op.subtract(ONE, op.abs(s))), op.negative(g))),
    ],
)
def test_a_straight_through_estimator_is_its_forward_part(body):
    found, roots = chains_of(lambda x: op.nn.relu(body(op.sign(x), op.tanh(x))))
    assert roots[-1] == "x"
    x = random_input((1, 7))
    np.testing.assert_array_equal(found[-1].evaluate(x)[-1], (x >= 0).astype(np.float32))


def test_a_sum_that_only_looks_like_one_stays():
    assert chains_of(lambda x, y: op.add(op.subtract(op.sign(x), x), y), SHAPE, SHAPE)[1] == []
    found, _ = chains_of(lambda x: op.add(op.subtract(x, op.tanh(x)), x))
    assert found[-1].evaluate(np.float32([[1]]))[-1] != 1


def test_constants_vary_along_one_axis():
    (*_, chain), _ = chains_of(lambda x: op.add(op.multiply(x, TWO), PER_CHANNEL))
    assert (chain.axis, chain.channels) == (1, 4)
    found, roots = chains_of(lambda x: op.add(op.multiply(x, const(np.arange(30).reshape(1, 1, 6, 5))), PER_CHANNEL))
    assert roots == ["multiply"]
    assert chains_of(lambda x: op.add(op.multiply(x, const(np.arange(5))), PER_CHANNEL))[1] == ["multiply"]
    assert found[0].axis == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_computes_what_the_program_computes(seed):
    body = random_chain(seed)
    found, _ = chains_of(body)
    x = random_input()
    rows = x.transpose(1, 0, 2, 3).reshape(4, -1)
    expected = run(module(body), x).transpose(1, 0, 2, 3).reshape(4, -1)
    np.testing.assert_array_equal(found[-1].evaluate(rows)[-1], expected)


def test_long_chains_take_no_exponential_time():
    def body(x):
        for _ in range(80):
            x = op.add(x, x)
        return x

    assert chains_of(body)[1][0] == "add"
