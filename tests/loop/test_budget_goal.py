"""Budgets in words become numbers, and impossible ones are refused before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from b2nn_tvm import models
from b2nn_tvm.costs.additive import AdditiveCost, Budget, parse_budget
from b2nn_tvm.costs.fit import FittedCost
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop.budget_goal import exact_goal, latency_goal, parse_goal
from b2nn_tvm.mixbin.network.layers import trace

COST = AdditiveCost("ms", 0.4, {"a": 1.0, "b": 2.0}, {"a": 0.1, "b": 0.2}, {"stem": 0.3})


def resolve(job, budget, times):
    return exact_goal(job, budget) or latency_goal(budget, times)


TIMES = SimpleNamespace(float_ms=3.5, binary_ms=0.75, fitted=FittedCost(COST, 0, 0, 0, 1, 2))


@pytest.fixture(scope="module")
def job() -> SimpleNamespace:
    model = models.cresnet20(classes=100)
    return SimpleNamespace(model=model, layers=trace(model, (3, 32, 32)), data=SimpleNamespace(input_shape=(3, 32, 32)))


def test_half_way_is_of_measured_times(job) -> None:
    goal = resolve(job, None, TIMES)
    assert (goal.limit, goal.unit) == ((3.5 + 0.75) / 2, "ms")


@pytest.mark.parametrize(("words", "limit"), [("2ms", 2.0), ("1500us", 1.5), ("40%ms", 1.4)])
def test_milliseconds(job, words: str, limit: float) -> None:
    assert resolve(job, parse_goal(words, rule="strict"), TIMES).limit == pytest.approx(limit)


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
        resolve(job, Budget(0.8, "ms"), SimpleNamespace(float_ms=3.5, binary_ms=0.75, fitted=pessimistic)).limit == 0.8
    )


@pytest.mark.parametrize("budget", [None, "12ms", parse_budget("40%ms")])
def test_milliseconds_are_kept_strictly(budget) -> None:
    with pytest.raises(InputError, match="strict"):
        parse_goal(budget, rule="nearest")


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="12 parsecs"):
        parse_goal("12 parsecs", rule="strict")
