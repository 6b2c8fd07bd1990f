"""Budgets in words become numbers, and impossible ones are refused before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from b2nn_tvm import models
from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, parse_budget
from b2nn_tvm.costs.fit import FittedCost
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop.budget_goal import exact_goal, exact_limits, latency_goal, loose_words, parse_goal
from b2nn_tvm.mixbin.network.layers import trace

COST = AdditiveCost("ms", 0.4, {"a": 1.0, "b": 2.0}, {"a": 0.1, "b": 0.2}, {"stem": 0.3})


def resolve(job, budgets, times):
    return exact_goal(job, budgets) or latency_goal(budgets, times, also=exact_limits(job, budgets or ()))


TIMES = SimpleNamespace(float_ms=3.5, binary_ms=0.75, fitted=FittedCost(COST, 0, 0, 0, 1, 2))


@pytest.fixture(scope="module")
def job() -> SimpleNamespace:
    model = models.cresnet20(classes=100)
    layers = trace(model, (3, 32, 32))
    options = tuple(layer.name for layer in layers if layer.eligible)
    return SimpleNamespace(
        model=model, layers=layers, options=options, data=SimpleNamespace(input_shape=(3, 32, 32)), is_binary=True
    )


def test_half_way_is_of_measured_times(job) -> None:
    goal = resolve(job, None, TIMES)
    assert (goal.limit, goal.unit) == ((3.5 + 0.75) / 2, "ms")


@pytest.mark.parametrize(("words", "limit"), [("2ms", 2.0), ("1500us", 1.5), ("40%ms", 1.4)])
def test_milliseconds(job, words: str, limit: float) -> None:
    assert resolve(job, parse_goal(words, rule="strict"), TIMES).limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("words", "loose"),
    [("3.5ms", True), ("3.4ms", False), ("100%flops", True), ("60%flops", False), (["4ms", "1MiB"], False)],
)
def test_a_budget_that_the_float_network_keeps_is_said(job, words, loose: bool) -> None:
    found = loose_words(resolve(job, parse_goal(words, rule="strict"), TIMES), TIMES)
    assert (found is not None) == loose
    if loose:
        assert f"the float network keeps the budget of {words} as it is" in found and "such as 60%" in found


def test_flops_are_counted_as_in_the_paper(job) -> None:
    goal = resolve(job, parse_goal("50%flops", rule="at_least"), TIMES)
    assert goal.unit == "flops" and goal.limit == 41_408_768 / 2
    assert goal.cost.full == 41_408_768 and goal.cost.minimum() == 1_927_424


def test_bytes(job) -> None:
    goal = resolve(job, parse_goal("300KiB", rule="strict"), TIMES)
    assert goal.limit == 300 * 1024
    assert goal.cost.full == 4 * sum(parameter.numel() for parameter in job.model.parameters())


@pytest.mark.parametrize(("words", "best"), [("0.5ms", "0.7"), ("1%flops", "1927424"), ("1KiB", "bytes")])
def test_impossible_budgets_say_what_is_possible_and_what_binds(job, words: str, best: str) -> None:
    with pytest.raises(BudgetError, match=f"(?s){best}.*because of layers that stay float: (stem|conv1|fc|stage)"):
        resolve(job, parse_goal(words, rule="strict"), TIMES)


def test_a_measured_time_counts_where_the_fit_is_too_high(job) -> None:
    pessimistic = FittedCost(AdditiveCost("ms", 0.9, dict(COST.float_cost), dict(COST.binary_cost)), 0, 0, 0, 1, 2)
    assert (
        resolve(job, (Budget(0.8, "ms"),), SimpleNamespace(float_ms=3.5, binary_ms=0.75, fitted=pessimistic)).limit
        == 0.8
    )


@pytest.mark.parametrize("budget", [None, "12ms", parse_budget("40%ms")])
def test_milliseconds_are_kept_strictly(budget) -> None:
    with pytest.raises(InputError, match="strict"):
        parse_goal(budget, rule="nearest")


def test_several_budgets_are_one_goal_and_milliseconds_come_first(job) -> None:
    goal = resolve(job, parse_goal(["300KiB", "2ms@p90", "50%flops"], rule="strict"), TIMES)
    assert (goal.unit, goal.limit, goal.cost, goal.quantile) == ("ms", 2.0, None, 0.9)
    assert [(cost.unit, str(budget)) for cost, budget in goal.also] == [("bytes", "300KiB"), ("flops", "50%flops")]
    assert goal.words == "300KiB and 2ms@p90 and 50%flops"
    exact = resolve(job, parse_goal(("50%flops", parse_budget("300KiB")), rule="strict"), TIMES)
    assert (exact.unit, exact.limit, exact.words) == ("flops", 41_408_768 / 2, "50%flops and 300KiB")
    assert [cost.unit for cost, _ in exact.also] == ["bytes"]


def test_budgets_that_cannot_be_kept_together_are_refused_before_anything_is_trained() -> None:
    """Bytes ask for a, which costs time; the budget in milliseconds asks for b alone."""
    times = AdditiveCost("ms", 0, {"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 0.5})
    size = AdditiveCost("bytes", 0, {"a": 10, "b": 10}, {"a": 1, "b": 10})
    measured = SimpleNamespace(float_ms=3.0, binary_ms=3.5, fitted=FittedCost(times, 0, 0, 0, 1, 2))
    budgets = parse_goal(["2ms", "12bytes"], rule="strict")
    with pytest.raises(BudgetError, match="budgets 2 ms and 12 bytes can be kept alone, but no choice"):
        latency_goal(budgets, measured, also=[(size, budgets[1])])
    assert latency_goal(budgets, measured, also=[(size, Budget(20, "bytes"))]).limit == 2.0


def test_the_budget_in_bytes_that_cannot_be_kept_is_refused_before_anything_is_measured(job) -> None:
    with pytest.raises(BudgetError, match="no choice costs at most 1024 bytes"):
        exact_limits(job, parse_goal(["2ms", "1KiB"], rule="strict"))
    assert exact_limits(job, parse_goal("2ms", rule="strict")) == ()


@pytest.mark.parametrize(
    ("budgets", "rule", "message"),
    [
        (["2ms", "1ms"], "strict", "at most one budget in ms, but got 2ms and 1ms: give the lower one"),
        (["50%flops", "300KiB"], "at_least", "rule 'at_least': expected one budget, but got 50%flops and 300KiB"),
        (["300KiB", "2ms"], "nearest", "its rule is 'strict'"),
    ],
)
def test_budgets_that_do_not_go_together_are_refused(budgets, rule: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_goal(budgets, rule=rule)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="12 parsecs"):
        parse_goal("12 parsecs", rule="strict")
