"""Which layers are chosen, by sorting and against brute force over all subsets."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.costs.footprint import Footprint
from b2nn_tvm.costs.options import layer_of, option, precision_of
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection import solve_exactly
from b2nn_tvm.mixbin.selection.limits import considered
from b2nn_tvm.mixbin.selection.select import pareto, runners_up, select
from tests.support.mixbin.selections import (
    SEEDS,
    brute_force,
    instance,
    least_harm,
    limits,
    reachable,
    shared_instance,
    subsets,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sort_takes_the_least_harmful_first_and_stops_by_the_rule(seed):
    scores, cost = instance(seed, kind="fraction")
    ranked = sorted(cost.worthwhile, key=scores.get)
    prefixes = [ranked[:count] for count in range(len(ranked) + 1)]
    for limit in limits(cost):
        strict = select(scores, cost, limit, solver="sort")
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
        ({"solver": "magic"}, "exact, sort"),
        ({"rule": "nearest", "solver": "exact"}, "use solver 'sort'"),
        ({"pairwise": {("a", "b"): 1.0}, "solver": "sort"}, "need the solver 'exact'"),
        ({"also": [(AdditiveCost("bytes", 0, {}, {}), 1)], "rule": "nearest"}, "one budget"),
        ({"also": [(AdditiveCost("flops", 0, {"a": 1}, {"a": 0}), 1)]}, "of different layers; expected both for b"),
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
    found = select({"a": 1.0}, cost, 2.0, solver="sort")
    assert math.isnan(found.bound) and math.isnan(found.gap)
    assert (found.certificate.objective, found.certificate.bound, found.certificate.gap) == (1.0, None, None)
    assert found.certificate.solver == "sort"


def test_the_optimum_is_the_default_and_carries_its_proof():
    cost = AdditiveCost("flops", 0, {"a": 10, "b": 100}, {"a": 0, "b": 0})
    found = select({"a": 1.0, "b": 2.0}, cost, 20)
    assert found.binary == ("b",) and (found.solver, found.gap) == ("exact", 0)
    assert found.certificate == type(found.certificate)(2.0, 2.0, 0.0, "exact")
    assert select({"a": 1.0, "b": 2.0}, cost, 20, solver="sort").binary == ("a", "b")
    assert select({"a": 1.0, "b": 2.0}, cost, 20, rule="nearest").solver == "sort"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["int", "fraction", "float"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_is_never_more_harmful_than_the_sort(seed, kind, shared):
    scores, cost = (shared_instance if shared else instance)(seed, 9, kind=kind)
    for limit in (*limits(cost), *reachable(cost, seed)):
        exact, ranked = select(scores, cost, limit), select(scores, cost, limit, solver="sort")
        assert exact.harm <= ranked.harm and max(exact.achieved, ranked.achieved) <= limit


def test_layers_that_lower_the_loss_are_taken_as_long_as_they_save_cost():
    cost = AdditiveCost("ms", 0, {"a": 4, "b": 4, "c": 4}, {"a": 1, "b": 1, "c": 5})
    found = select({"a": -1.0, "b": -0.5, "c": -9.0}, cost, 12)
    assert found.binary == ("a", "b") and found.harm == found.bound == -1.5 and found.kept == ("c",)


@pytest.mark.parametrize("seed", range(12))
def test_several_budgets_are_kept_by_the_least_harmful_choice_of_all(seed):
    scores, cost = shared_instance(seed, 8)
    _, other = instance(seed + 50, 8, kind="fraction")
    harmful = {name: abs(score) for name, score in scores.items()}  # none helps: all subsets count
    kept = 0
    for limit, second in zip(reachable(cost, seed), limits(other), strict=False):
        best = least_harm(harmful, [(cost, limit), (other, second)], cost.names)
        if best is None:
            with pytest.raises(BudgetError, match="budgets .* ms and .* ms can be kept alone, but no choice"):
                select(harmful, cost, limit, also=[(other, second)])
            continue
        found = select(harmful, cost, limit, also=[(other, second)])
        assert found.harm == pytest.approx(best, abs=1e-9) and found.gap == 0
        assert found.achieved <= limit and other.total(found.binary) <= second
        kept += 1
    assert kept > 0


def test_the_sort_stops_at_the_first_choice_that_keeps_all_budgets():
    names = ("a", "b", "c")
    time = AdditiveCost("ms", 0, dict.fromkeys(names, 4), dict.fromkeys(names, 1))
    size = AdditiveCost("bytes", 0, dict.fromkeys(names, 32), {"a": 31, "b": 1, "c": 1})
    scores = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert select(scores, time, 9, solver="sort").binary == ("a",)
    assert select(scores, time, 9, also=[(size, 70)], solver="sort").binary == ("a", "b")
    assert select(scores, size, 70, also=[(time, 9)], solver="sort").binary == ("a", "b")
    assert select(scores, size, 70, also=[(time, 9)]).binary == ("b",)


def test_budgets_that_only_the_exact_solver_keeps_together():
    """a saves time and costs bytes, b saves bytes and costs time: the order binarizes c, which saves both, last."""
    time = AdditiveCost("ms", 0, {"a": 4, "b": 1, "c": 4}, {"a": 1, "b": 5, "c": 2})
    size = AdditiveCost("bytes", 0, {"a": 1, "b": 9, "c": 9}, {"a": 9, "b": 1, "c": 2})
    scores = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert select(scores, time, 7, also=[(size, 12)]).binary == ("c",)
    with pytest.raises(BudgetError, match="no choice in the order .* keeps 7 ms and 12 bytes .* use solver 'exact'"):
        select(scores, time, 7, also=[(size, 12)], solver="sort")
    for solver in ("sort", "exact"):
        with pytest.raises(BudgetError, match="budgets 4 ms and 4 bytes can be kept alone, but no choice"):
            select(scores, time, 4, also=[(size, 4)], solver=solver)
        with pytest.raises(BudgetError, match="no choice costs at most 3 bytes"):
            select(scores, time, 4, also=[(size, 3)], solver=solver)


def test_signs_that_two_layers_share_are_paid_once():
    """a and b read one tensor, whose signs cost 2; c saves less than either and shares nothing."""
    pack = Transition(("a", "b"), "binary", 2, "signs")
    cost = AdditiveCost("ms", 0, {"a": 5, "b": 5, "c": 5}, {"a": 1, "b": 1, "c": 2}, transitions=(pack,))
    scores = {"a": 1.0, "b": 1.0, "c": 0.9}
    assert select(scores, cost, 13).binary == ("c",)
    assert select(scores, cost, 10).binary == ("a", "c")
    assert select(scores, cost, 9).binary == ("a", "b")


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_choice_dominates_a_point_of_the_front(seed, kind):
    scores, cost = shared_instance(seed, 8, kind=kind)
    front = pareto(scores, cost, points=9)
    assert front[0].achieved <= cost.minimum() + 1e-9 and front[-1].achieved <= cost.full
    everything = [(cost.total(one), math.fsum(scores[name] for name in one)) for one in subsets(cost.worthwhile)]
    for point in front:
        cheaper = [harm for achieved, harm in everything if achieved < point.achieved]
        as_cheap = [harm for achieved, harm in everything if achieved == point.achieved]
        assert min(cheaper, default=math.inf) > point.harm + 1e-12
        assert min(as_cheap) > point.harm - 1e-12
    assert all(late.achieved > early.achieved and late.harm < early.harm for early, late in itertools.pairwise(front))


def multiple_choice(layers: int, seed: int, *, shared: bool = False) -> tuple[dict[str, float], AdditiveCost]:
    """Layers of up to three options with random harms, some below zero, and random costs; where ``shared``, some that
    layers share in each precision, and what their weights take of the caches.
    """
    draw = random.Random(seed)
    names = [f"layer{index}" for index in range(layers)]
    options = [option(name, word) for name in names for word in ("binary", "w1a2", "int8") if draw.random() < 0.9]
    float_cost = {name: draw.randint(20, 99) for name in names if name in set(map(layer_of, options))}
    cost = AdditiveCost("bytes", 7, float_cost, {each: draw.randint(1, 60) for each in options})
    if shared:
        words = ("float", "float", "binary", "w1a2", "int8")
        groups = [tuple(draw.sample(list(float_cost), min(3, len(float_cost)))) for _ in words]
        transitions = [Transition(*each, draw.randint(0, 30), "shared") for each in zip(groups, words, strict=True)]
        weights = {name: draw.randint(1, 9) for name in float_cost}
        cost = replace(cost, transitions=transitions, footprint=Footprint(weights, 0.3 * cost.full))
    return {each: draw.uniform(-0.1, 1.0) for each in options}, cost


def all_choices(cost: AdditiveCost):
    """Every way to give each layer one of its options or none."""
    per_layer = [[None, *(each for each in cost.names if layer_of(each) == layer)] for layer in cost.float_cost]
    for chosen in itertools.product(*per_layer):
        yield tuple(each for each in chosen if each)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("solver", ["enumeration", "mixed integer program"])
@pytest.mark.parametrize("shared", [False, True])
def test_several_options_of_a_layer_are_a_multiple_choice_knapsack(seed, solver, shared, monkeypatch):
    """Equal to trying all choices; budgets in both units are kept, with a certificate."""
    if solver != "enumeration":
        monkeypatch.setattr(solve_exactly, "ENUMERATED_LAYERS", 0)
    scores, cost = multiple_choice(5 - shared, seed, shared=shared)
    other = replace(cost, unit="flops", fixed=0, binary_cost={each: 70 - c for each, c in cost.binary_cost.items()})
    budget = (cost.full + cost.minimum()) / 2
    for also in ((), ((other, other.full * 0.9),)):
        kept = [(cost, budget), *also]
        worthwhile = set(considered([each for each, _ in kept]))
        ways = [
            choice
            for choice in all_choices(cost)
            if set(choice) <= worthwhile and all(each.total(choice) <= limit for each, limit in kept)
        ]
        ways.sort(key=lambda choice: sum(scores[each] for each in choice))
        if not ways:
            with pytest.raises(BudgetError):
                select(scores, cost, budget, also=also)
            continue
        found = select(scores, cost, budget, also=also)
        assert found.harm == pytest.approx(sum(scores[each] for each in ways[0]))
        assert found.achieved == cost.total(found.binary) <= budget
        assert found.certificate.gap == pytest.approx(0, abs=1e-6) and found.solver == "exact"
        best = runners_up(scores, cost, budget, also=also, count=3)
        assert [one.harm for one in best] == pytest.approx([sum(scores[each] for each in way) for way in ways[:3]])


@pytest.mark.parametrize("shared", [False, True])
def test_no_cost_rises_without_the_options_that_save_nothing(shared):
    for seed in range(6):
        _, cost = multiple_choice(4, seed, shared=shared)
        everything = {choice: cost.total(choice) for choice in all_choices(cost)}
        worthwhile = set(cost.worthwhile)
        for choice, total in everything.items():
            assert everything[tuple(each for each in choice if each in worthwhile)] <= total * (1 + 1e-12)
        assert min(everything.values()) * (1 - 1e-12) <= cost.minimum() <= min(everything.values()) * (1 + 1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_more_precisions_are_never_worse_than_one_of_them_alone(shared):
    """Within every budget: all precisions have the choices of each, and of binary layers and int8 some gain by both."""
    better = 0
    for seed in range(3):
        scores, cost = multiple_choice(4, seed, shared=shared)
        for step in range(1, 8):
            budget = cost.minimum() + (cost.full - cost.minimum()) * step / 8
            both = select(scores, cost, budget).harm
            for word in ("binary", "int8"):
                only = [each for each in cost.names if precision_of(each) == word]
                try:
                    alone = select(scores, cost, budget, only=only)
                except BudgetError:
                    continue
                assert set(alone.binary) <= set(only) and alone.achieved <= budget and both <= alone.harm + 1e-12
                better += both < alone.harm - 1e-12
    assert better


def test_the_front_of_several_options_is_efficient():
    scores, cost = multiple_choice(6, 11)
    front = pareto({name: abs(value) for name, value in scores.items()}, cost, points=8)
    assert len(front) > 3 and front[-1].harm == 0 and front[0].achieved == cost.minimum()
    assert all(left.achieved < right.achieved and left.harm > right.harm for left, right in itertools.pairwise(front))


def test_a_sort_does_not_know_several_options():
    scores, cost = multiple_choice(3, 2)
    with pytest.raises(InputError, match="more than two need the solver 'exact'"):
        select(scores, cost, cost.full, solver="sort")
    with pytest.raises(BudgetError, match="with every layer in fewer bits that gains by it"):
        select(scores, cost, cost.minimum() - 1)
