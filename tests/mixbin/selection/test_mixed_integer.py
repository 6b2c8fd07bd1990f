"""The mixed integer program: its optimum, the limit that it must not slip over, and the bound when time runs out."""

from __future__ import annotations

import itertools
import random

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.mixbin.selection import mixed_integer
from b2nn_tvm.mixbin.selection import solve_exactly as exact
from b2nn_tvm.mixbin.selection.select import runners_up, select
from tests.support.mixbin.selections import (
    SEEDS,
    brute_force,
    crowded_instance,
    instance,
    least_harm,
    limits,
    reachable,
    shared_instance,
    subsets,
)
from tests.support.sweep import few


@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_integer_programming_finds_the_optimum(seed, monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = instance(seed, kind="float")
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact")
        assert found.achieved <= limit
        assert found.harm == pytest.approx(brute_force(scores, cost, limit), abs=1e-6)
        assert found.gap <= 1e-6


@pytest.mark.parametrize("kind", ["int", "fraction", "float"])
@pytest.mark.parametrize("seed", few(range(10), range(4)))
def test_shared_costs_and_limits_that_are_met_exactly(seed, kind, monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = shared_instance(seed, 8, kind=kind)
    for limit in reachable(cost, seed):
        found = select(scores, cost, limit)
        assert found.achieved <= limit
        assert found.harm == pytest.approx(least_harm(scores, [(cost, limit)], cost.worthwhile), abs=1e-6)
        assert found.gap <= 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_what_mixtures_save(seed, monkeypatch):
    scores, cost = crowded_instance(seed, 8)
    asked = [limit for limit in reachable(cost, seed) if limit >= min(map(cost.total, subsets(cost.names)))]
    by_table = [select(scores, cost, limit) for limit in asked]
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    for limit, table in zip(asked, by_table, strict=True):
        found = select(scores, cost, limit)
        assert found.achieved <= limit and found.gap <= 1e-6
        assert found.harm == pytest.approx(least_harm(scores, [(cost, limit)], cost.worthwhile), abs=1e-6)
        assert table.harm == pytest.approx(found.harm, abs=1e-6)


@pytest.mark.parametrize("seed", few(range(10), range(4)))
def test_several_limits_and_choices_left_out(seed, monkeypatch):
    scores, cost = shared_instance(seed, 8)
    _, other = shared_instance(seed + 50, 8, kind="float")
    asked = [(limit, max(second, other.minimum())) for limit in limits(cost)[1::2] for second in limits(other)[1::2]]
    by_table = [_or_none(runners_up, scores, cost, limit, count=3, also=[(other, second)]) for limit, second in asked]
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    by_program = [_or_none(runners_up, scores, cost, limit, count=3, also=[(other, second)]) for limit, second in asked]
    assert any(by_table)
    for table, program in zip(by_table, by_program, strict=True):
        assert [one.harm for one in program] == pytest.approx([one.harm for one in table], abs=1e-6)


def _or_none(function, *given, **options):
    try:
        return function(*given, **options)
    except BudgetError:
        return ()


def test_pairs_and_shared_costs_in_one_program(monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = shared_instance(4, 7)
    pairwise = {pair: 0.1 * index - 0.5 for index, pair in enumerate(itertools.combinations(cost.worthwhile, 2))}
    for limit in limits(cost):
        found = select(scores, cost, limit, pairwise=pairwise)
        assert found.harm == pytest.approx(least_harm(scores, [(cost, limit)], cost.worthwhile, pairwise), abs=1e-6)


def test_no_near_miss_hides_a_choice_that_costs_exactly_the_limit(monkeypatch):
    """Below the limit by nothing is the harmful a; over it by 1e-9 are many less harmful ones."""
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    names = [f"layer{index}" for index in range(6)]
    cost = AdditiveCost("ms", 1.0, {"a": 1.0, **dict.fromkeys(names, 1.0)}, {"a": 0.0, **dict.fromkeys(names, 1e-9)})
    scores = {"a": 5.0, **{name: 1 + 0.1 * index for index, name in enumerate(names)}}
    found = select(scores, cost, cost.total(["a"]))
    assert found.binary == ("layer0", "layer1") or found.binary == ("a",)
    assert found.harm == pytest.approx(least_harm(scores, [(cost, cost.total(["a"]))], cost.names), abs=1e-9)


def test_harms_far_below_one_are_told_apart(monkeypatch):
    """HiGHS accepts what is within 1e-6 of the optimum, in its own units."""
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    cost = AdditiveCost("ms", 0.0, {"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 0.0})
    assert select({"a": 2e-9, "b": 1e-9}, cost, 1.0).binary == ("b",)


def test_without_any_time_a_known_choice_is_taken_or_the_error_says_so(monkeypatch):
    monkeypatch.setattr(mixed_integer, "TIME_LIMIT_S", 0)
    scores, cost = shared_instance(1, 40, kind="float")
    _, other = shared_instance(2, 40, kind="float")
    loose, tight = (
        [(each.minimum() * (1 - share) + each.full * share) for each in (cost, other)] for share in (0.2, 0)
    )
    found = select(scores, cost, loose[0], also=[(other, loose[1])])
    ranked = select(scores, cost, loose[0], also=[(other, loose[1])], solver="sort")
    assert found.harm <= ranked.harm and found.bound <= found.harm and found.certificate.bound is None
    with pytest.raises(BudgetError, match="ms was found in 0 s; allow more"):
        select(scores, cost, tight[0], also=[(other, tight[1])])


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
