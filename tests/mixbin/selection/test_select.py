"""Selection against brute force over all subsets."""

import itertools
import math
import random
from fractions import Fraction

import pytest

from b2nn_tvm.costs.additive import AdditiveCost, parse_budget
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection import mixed_integer
from b2nn_tvm.mixbin.selection import solve_exactly as exact
from b2nn_tvm.mixbin.selection.select import pareto, runners_up, select

SEEDS = range(6)


def instance(seed: int, layers: int = 10, *, kind: str = "int"):
    """Random scores (some negative) and costs; in some layers binary does not pay."""
    rng = random.Random(seed)
    draw = {
        "int": lambda high: rng.randint(0, high),
        "fraction": lambda high: Fraction(rng.randint(0, 64 * high), 64),
        "float": lambda high: rng.uniform(0, high),
    }[kind]
    names = [f"layer{i}" for i in range(layers)]
    float_cost = {name: draw(60) + 1 for name in names}
    binary_cost = {name: draw(30) for name in names}
    scores = {name: rng.gauss(0.3, 0.4) for name in names}
    return scores, AdditiveCost("ms", draw(20), float_cost, binary_cost)


def all_harms(scores, cost, limit, pairwise=()):
    """The harms of all subsets within the limit, the least first."""
    harms = []
    for size in range(len(cost.worthwhile) + 1):
        for chosen in itertools.combinations(cost.worthwhile, size):
            if cost.total(chosen) <= limit:
                pairs = sum(term for pair, term in dict(pairwise).items() if set(pair) <= set(chosen))
                harms.append(math.fsum(scores[name] for name in chosen) + pairs)
    return sorted(harms)


def brute_force(scores, cost, limit, pairwise=()):
    """The least harm over all subsets within the limit."""
    return all_harms(scores, cost, limit, pairwise)[0]


def limits(cost):
    low, full = Fraction(cost.minimum()), Fraction(cost.full)
    return [low + (full - low) * Fraction(step, 5) for step in range(6)]


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


@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_integer_programming_finds_the_optimum(seed, monkeypatch):
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    scores, cost = instance(seed, kind="float")
    for limit in limits(cost):
        found = select(scores, cost, limit, solver="exact")
        assert found.achieved <= limit
        assert found.harm == pytest.approx(brute_force(scores, cost, limit), abs=1e-6)
        assert found.gap <= 1e-6


def test_the_three_exact_solvers_agree_on_25_layers(monkeypatch):
    scores, cost = instance(3, 25)
    limit = Fraction(cost.minimum() + cost.full, 2)
    by_table = select(scores, cost, limit, solver="exact")
    monkeypatch.setattr(exact, "TABLE_CELLS", 0)
    by_program = select(scores, cost, limit, solver="exact")
    assert by_table.harm == pytest.approx(by_program.harm, abs=1e-6)
    assert max(by_table.achieved, by_program.achieved) <= limit


def terms(cost, seed):
    rng = random.Random(seed)
    pairs = list(itertools.combinations(cost.names, 2))
    return {pair if rng.random() < 0.5 else pair[::-1]: rng.gauss(0, 0.5) for pair in rng.sample(pairs, 12)}


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


def test_a_choice_that_only_the_solvers_tolerance_lets_pass_is_replaced(monkeypatch):
    """HiGHS accepts a row violated by less than 1e-6; the answer must be within the limit all the same."""
    monkeypatch.setattr(exact, "ENUMERATED_LAYERS", 0)
    cost = AdditiveCost("ms", 0.0, {"a": 1.0, "b": 1.1, "c": 1.2}, {"a": 0.0, "b": 0.0, "c": 0.0})
    scores = {"a": 0.5, "b": 1.0, "c": 2.0}
    limit = cost.total(["a"]) - 1e-8
    found = select(scores, cost, limit, solver="exact")
    assert found.achieved <= limit
    assert found.binary == ("b",)


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


@pytest.mark.parametrize("unit, least", [("ms", "0.3334 ms"), ("flops", "1 flops")])
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
    "changes, message",
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
