"""Which layers are chosen, by sorting and against brute force over all subsets."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost, parse_budget
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection.select import pareto, select
from tests.support.mixbin.selections import SEEDS, brute_force, instance, limits


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sort_takes_the_least_harmful_first_and_stops_by_the_rule(seed):
    scores, cost = instance(seed, kind="fraction")
    ranked = sorted(cost.worthwhile, key=scores.get)
    prefixes = [ranked[:count] for count in range(len(ranked) + 1)]
    for limit in limits(cost):
        strict = select(scores, cost, limit)
        assert set(strict.binary) == set(next(p for p in prefixes if cost.total(p) <= limit))
        nearest = select(scores, cost, limit, rule="nearest")
        assert abs(nearest.achieved - limit) == min(abs(cost.total(p) - limit) for p in prefixes)
        over = select(scores, cost, limit, rule="at_least")
        assert over.achieved == min((cost.total(p) for p in prefixes if cost.total(p) >= limit), default=cost.full)
        assert select(scores, cost, limit, solver="exact").harm <= strict.harm + 1e-9


def test_the_budget_is_met_exactly_at_equality_and_not_by_rounding():
    """0.1 + 0.2 > 0.3 in doubles, and the choice that costs exactly the limit is within it."""
    cost = AdditiveCost("ms", 0.0, {"a": 0.1, "b": 0.2, "c": 5.0}, {"a": 0.0, "b": 0.0, "c": 0.0})
    scores = {"a": 1.0, "b": 1.0, "c": 0.0}
    assert select(scores, cost, 0.1 + 0.2, solver="exact").binary == ("c",)
    assert select(scores, cost, math.nextafter(cost.total(["c"]), 0), solver="exact").binary != ("c",)


def test_layers_where_binary_does_not_pay_stay_float():
    cost = AdditiveCost("ms", 0.0, {"a": 4.0, "b": 1.0, "c": 2.0}, {"a": 1.0, "b": 1.5, "c": 2.0})
    scores = {"a": 9.0, "b": -5.0, "c": -5.0}
    for solver in ("sort", "exact"):
        found = select(scores, cost, 4.5, solver=solver)
        assert found.binary == ("a",)
        assert found.kept == ("b", "c")


def test_relative_budgets_and_network_order():
    cost = AdditiveCost("flops", 0, {"a": 100, "b": 100, "c": 100}, {"a": 1, "b": 1, "c": 1})
    found = select({"a": 3.0, "b": 2.0, "c": 1.0}, cost, parse_budget("40%flops"))
    assert found.binary == ("b", "c")
    assert found.achieved == 102 and found.limit == 120
    assert found.share == pytest.approx(0.34)


def test_an_impossible_budget_names_the_best_value_and_the_binding_layers():
    cost = AdditiveCost(
        "ms", 5.0, {"a": 4.0, "slow": 3.0}, {"a": 1.0, "slow": 3.5}, {"stem": 3.5, "fc": 1.5, "tiny": 0.0}
    )
    with pytest.raises(
        BudgetError, match=r"at most 2 ms.*costs 9 ms \(75 % of.*stem \(3.5 ms\), slow \(3 ms\), fc"
    ) as error:
        select({"a": 0.0, "slow": 0.0}, cost, parse_budget("2ms"))
    assert "\n" not in str(error.value) and "tiny" not in str(error.value)


@pytest.mark.parametrize(("unit", "least"), [("ms", "0.3334 ms"), ("flops", "1 flops")])
def test_the_budget_that_the_error_allows_can_be_met(unit, least):
    cost = AdditiveCost(unit, 0, {"a": 4}, {"a": Fraction(1, 3)})
    with pytest.raises(BudgetError, match=f"allow at least {least}"):
        select({"a": 0.0}, cost, Fraction(1, 10))
    assert select({"a": 0.0}, cost, parse_budget(least)).binary == ("a",)


@pytest.mark.parametrize("solver", ["sort", "exact"])
def test_nothing_is_binarized_where_the_float_net_fits(solver):
    cost = AdditiveCost("ms", 0.0, {"a": 4.0}, {"a": 1.0})
    assert select({"a": 1.0}, cost, 4.0, solver=solver).binary == ()


def test_the_front_is_strictly_falling_and_optimal():
    scores, cost = instance(1)
    front = pareto(scores, cost, points=12)
    assert [one.achieved for one in front] == sorted({one.achieved for one in front})
    assert all(later.harm < earlier.harm for earlier, later in itertools.pairwise(front))
    assert front[0].achieved == cost.minimum() or front[0].harm <= sum(scores[n] for n in cost.worthwhile)
    for one in front:
        assert one.harm == pytest.approx(brute_force(scores, cost, one.limit), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "loose"}, "strict, nearest, at_least"),
        ({"solver": "magic"}, "sort, exact"),
        ({"rule": "nearest", "solver": "exact"}, "use solver 'sort'"),
        ({"pairwise": {("a", "b"): 1.0}}, "need the solver 'exact'"),
        ({"pairwise": {("a", "z"): 1.0}, "solver": "exact"}, "name z"),
        ({"scores": {"a": 1.0}}, "no score is given for b"),
        ({"scores": {"a": 1.0, "b": float("nan")}}, "score of b is not a finite"),
        ({"budget": 0}, "above zero"),
    ],
)
def test_wrong_input_is_refused(changes, message):
    cost = AdditiveCost("ms", 0.0, {"a": 4.0, "b": 4.0}, {"a": 1.0, "b": 1.0})
    given = {"scores": {"a": 1.0, "b": 2.0}, "cost": cost, "budget": 5.0} | changes
    with pytest.raises(InputError, match=message):
        select(given.pop("scores"), given.pop("cost"), given.pop("budget"), **given)


def test_the_sort_proves_nothing():
    cost = AdditiveCost("ms", 0.0, {"a": 4.0}, {"a": 1.0})
    found = select({"a": 1.0}, cost, 2.0)
    assert math.isnan(found.bound) and math.isnan(found.gap)
