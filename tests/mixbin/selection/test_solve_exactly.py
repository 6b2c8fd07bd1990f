"""The three exact solvers against brute force over all subsets."""

from __future__ import annotations

from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.mixbin.selection import solve_exactly as exact
from b2nn_tvm.mixbin.selection.select import runners_up, select
from tests.support.mixbin.selections import (
    SEEDS,
    all_harms,
    brute_force,
    instance,
    least_harm,
    limits,
    reachable,
    shared_instance,
    terms,
)
from tests.support.sweep import few


@pytest.mark.parametrize("kind", ["int", "fraction", "float"])
@pytest.mark.parametrize("seed", SEEDS)
def test_enumeration_finds_the_optimum(seed, kind):
    scores, cost = instance(seed, kind=kind)
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact")
        assert found.achieved <= limit
        assert found.achieved == cost.total(found.binary)
        assert found.harm == pytest.approx(brute_force(scores, cost, limit), abs=1e-9)
        assert found.gap == 0


@pytest.mark.parametrize("kind", ["int", "fraction", "float"])
@pytest.mark.parametrize("seed", few(range(12), range(4)))
def test_enumeration_finds_the_optimum_under_shared_costs(seed, kind):
    scores, cost = shared_instance(seed, kind=kind)
    for limit in (*limits(cost), *reachable(cost, seed)):
        found = select(scores, cost, limit)
        assert found.achieved == cost.total(found.binary) <= limit
        assert found.harm == pytest.approx(least_harm(scores, [(cost, limit)], cost.worthwhile), abs=1e-9)
        assert found.gap == 0


def test_of_equally_harmful_choices_the_cheapest_is_taken():
    """More subsets are equally harmful than are put in order first."""
    names = [f"layer{index:02}" for index in range(12)]
    cost = AdditiveCost("ms", 0, dict.fromkeys(names, 100), {name: 90 - index for index, name in enumerate(names)})
    found = select(dict.fromkeys(names, 1.0), cost, 1200 - 45)
    assert found.binary == ("layer09", "layer10", "layer11") and found.achieved == 1200 - 60


@pytest.mark.parametrize("kind", ["int", "fraction"])
@pytest.mark.parametrize("seed", SEEDS)
def test_dynamic_programming_finds_the_optimum(seed, kind, monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    monkeypatch.setattr(exact, "mixed_integer", None)  # not to be reached
    scores, cost = instance(seed, kind=kind)
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact")
        assert found.achieved <= limit
        assert found.harm == pytest.approx(brute_force(scores, cost, limit), abs=1e-9)


def test_the_three_exact_solvers_agree_on_25_layers(monkeypatch):
    scores, cost = instance(3, 25)
    limit = Fraction(cost.minimum() + cost.full, 2)
    by_table = select(scores, cost, limit, solver="exact")
    monkeypatch.setattr(exact, "TABLE_CELLS", 0)
    by_program = select(scores, cost, limit, solver="exact")
    assert by_table.harm == pytest.approx(by_program.harm, abs=1e-6)
    assert max(by_table.achieved, by_program.achieved) <= limit


@pytest.mark.parametrize("enumerated", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_pairwise_terms_are_part_of_the_optimum(seed, enumerated, monkeypatch):
    if not enumerated:
        monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = instance(seed, 9)
    pairwise = terms(cost, seed)
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact", pairwise=pairwise)
        assert found.achieved <= limit
        assert found.harm == pytest.approx(brute_force(scores, cost, limit, pairwise), abs=1e-6)
        assert found.bound <= found.harm + 1e-6 and found.gap <= 1e-6


@pytest.mark.parametrize("enumerated", [True, False])
def test_the_runners_up_are_the_next_best_of_all_subsets(enumerated, monkeypatch):
    if not enumerated:
        monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = instance(2, 8)
    for pairwise in ({}, terms(cost, 2)):
        for limit in limits(cost)[::2]:
            expected = all_harms(scores, cost, limit, pairwise)[:4]
            found = runners_up(scores, cost, limit, count=4, pairwise=pairwise)
            assert [one.harm for one in found] == pytest.approx(expected, abs=1e-6)
            assert len({one.binary for one in found}) == len(found)
            assert all(one.achieved <= limit and one.gap <= 1e-6 for one in found)


@pytest.mark.parametrize("enumerated", [True, False])
def test_there_are_no_more_runners_up_than_choices(enumerated, monkeypatch):
    if not enumerated:
        monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    cost = AdditiveCost("ms", 0.0, {"a": 4.0, "b": 4.0}, {"a": 1.0, "b": 1.0})
    found = runners_up({"a": 1.0, "b": 2.0}, cost, 5.0, count=9)
    assert [one.binary for one in found] == [("a",), ("b",), ("a", "b")]
