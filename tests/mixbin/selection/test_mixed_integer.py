"""The mixed integer program: its optimum, the limit that it must not slip over, and the bound when time runs out."""

from __future__ import annotations

import itertools
import random

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.mixbin.selection import mixed_integer
from b2nn_tvm.mixbin.selection import solve_exactly as exact
from b2nn_tvm.mixbin.selection.select import select
from tests.support.mixbin.selections import SEEDS, brute_force, instance, limits


@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_integer_programming_finds_the_optimum(seed, monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = instance(seed, kind="float")
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact")
        assert found.achieved <= limit
        assert found.harm == pytest.approx(brute_force(scores, cost, limit), abs=1e-6)
        assert found.gap <= 1e-6


def test_what_the_time_does_not_suffice_for_comes_with_the_bound_that_was_reached(monkeypatch):
    """A program that HiGHS cannot finish at once: the answer keeps the limit, and the optimum is not below the
    bound.
    """
    scores, cost = instance(5, 40, kind="float")
    rng = random.Random(5)
    pairwise = {pair: rng.gauss(0, 0.5) for pair in itertools.combinations(cost.worthwhile, 2)}
    limit = (cost.minimum() + cost.full) / 2
    monkeypatch.setattr(mixed_integer, "TIME_LIMIT_S", 0.3)
    found = select(scores, cost, limit, solver="exact", pairwise=pairwise)
    assert found.achieved <= limit
    assert found.bound <= found.harm
    assert found.gap == pytest.approx(found.harm - found.bound) and found.gap > 0


def test_a_choice_that_only_the_solvers_tolerance_lets_pass_is_replaced(monkeypatch):
    """HiGHS accepts a row violated by less than 1e-6; the answer must be within the limit all the same."""
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    cost = AdditiveCost("ms", 0.0, {"a": 1.0, "b": 1.1, "c": 1.2}, {"a": 0.0, "b": 0.0, "c": 0.0})
    scores = {"a": 0.5, "b": 1.0, "c": 2.0}
    limit = cost.total(["a"]) - 1e-8
    found = select(scores, cost, limit, solver="exact")
    assert found.achieved <= limit
    assert found.binary == ("b",)
