"""Pieces are where the chain has the values that they state, to the last number at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.patterns import constant_pieces as module_of_pieces
from b2nn_tvm.passes.patterns.chain import chains
from b2nn_tvm.passes.patterns.constant_pieces import constant_pieces, is_narrow
from b2nn_tvm.passes.patterns.float_order import INFINITY, float_of, order_of
from b2nn_tvm.relax_query import calls, definitions, dtype
from tests.support.passes.random_chains import random_chain
from tests.support.passes.relax_functions import const, module


def chains_to(body):
    function = module(body)["main"]
    (*_, (var, _)) = calls(function)
    return [chain for chain in chains(var, definitions(function)) if dtype(chain.root) == "float32"]


def check(chain, rng):
    """Compare the pieces with the chain at all edges, next to them and at random places; whether there are pieces."""
    pieces = constant_pieces(chain)
    if pieces is None:
        return False
    count = pieces.low.shape[1]
    places = [pieces.low, pieces.low + 1, pieces.high - 1, pieces.high]
    places += [rng.integers(pieces.low, pieces.high, endpoint=True) for _ in range(8)]
    for place in places:
        place = np.clip(place, pieces.low, pieces.high)
        found = chain.evaluate(float_of(place))[-1]
        wide = ~is_narrow(float_of(pieces.low), float_of(pieces.high)) | (pieces.low == pieces.high)
        np.testing.assert_array_equal(found[wide], pieces.values[wide])
    covered = pieces.low[:, 0] == -INFINITY - 1
    ends = np.maximum.accumulate(pieces.high, axis=1)
    assert covered.all() and (ends[:, -1] == INFINITY).all() and count <= 200
    assert (pieces.low[:, 1:] <= ends[:, :-1] + 1).all()  # without a gap
    return True


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.sweep) for turn in range(1, 40))])
def test_pieces_of_random_chains(turn):
    rng = np.random.default_rng(turn)
    found = sum(check(chain, rng) for seed in range(20) for chain in chains_to(random_chain(20 * turn + seed))[:4])
    assert found >= 5


def test_edges_are_exact():
    body = lambda x: op.round(op.clip(op.divide(op.add(x, const(0.1)), const(3)), 0, 1))
    chain = chains_to(body)[-1]
    pieces = constant_pieces(chain)
    (edge,) = pieces.low[0][np.flatnonzero(np.diff(pieces.values[0])) + 1]
    for place, value in ((edge - 1, 0), (edge, 1)):
        x = float_of(place)
        assert np.rint(np.clip((x + np.float32(0.1)) / np.float32(3), 0, 1)) == value
    assert abs(float_of(edge) - 1.4) < 1e-6


@pytest.mark.parametrize(
    "body",
    [op.nn.relu, op.tanh, op.round, lambda x: op.multiply(op.sign(x), x), lambda x: op.clip(x, -1, 1)],
    ids=["relu", "tanh", "round", "abs", "clip"],
)
def test_many_values_have_no_pieces(body):
    assert constant_pieces(chains_to(body)[-1]) is None


def test_narrow_is_what_rounding_makes():
    above = np.nextafter(np.float32(3), np.float32(4))
    assert is_narrow(np.float32(3), above) and is_narrow(np.float32(0), np.float32(1e-45))
    assert not is_narrow(np.float32(0), np.float32(0.01)) and order_of(above) - order_of(3) == 1


@pytest.mark.parametrize("step", [1e-4, 0.037, 12.0])
@pytest.mark.parametrize("low", [0, -128])
def test_the_codes_of_a_quantizer_are_seen_to_be_many_without_a_search(step, low, monkeypatch):
    def search(*_of):
        raise AssertionError("an edge was searched for")

    monkeypatch.setattr(module_of_pieces, "first_where", search)
    body = lambda x: op.multiply(op.clip(op.round(op.divide(x, const(step))), low, low + 255), const(step))
    assert all(constant_pieces(chain) is None for chain in chains_to(body))
