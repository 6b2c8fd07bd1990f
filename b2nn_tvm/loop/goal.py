"""The budget, from the user's words to a number that can be kept."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.cost import AdditiveCost, Budget, parse_budget
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.costs import MeasuredCost, exact_cost
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.select import select


@dataclass(frozen=True)
class Goal:
    """The budget as a number: at most ``limit`` in ``unit``; ``cost`` is exact, or None for milliseconds."""

    words: str
    unit: str
    limit: float
    cost: AdditiveCost | None


def parse(budget: str | Budget | None, *, rule: str) -> Budget | None:
    """The user's budget; None stands for half-way. Raises InputError for words that are none, or that the rule does not go with."""
    wish = parse_budget(budget) if isinstance(budget, str) else budget
    if rule != "strict" and (wish is None or wish.unit == "ms"):
        raise InputError(f"rule {rule!r}: a budget in milliseconds is kept by measurement, so its rule is 'strict'")
    return wish


def exact(job: Job, wish: Budget | None) -> Goal | None:
    """The goal in FLOPs or bytes, None for milliseconds; raises BudgetError for one that no choice can keep."""
    if wish is None or wish.unit == "ms":
        return None
    cost = exact_cost(job, wish.unit)
    goal = Goal(str(wish), wish.unit, float(wish.limit(cost)), cost)
    _refuse_impossible(cost, goal)
    return goal


def milliseconds(wish: Budget | None, times: MeasuredCost) -> Goal:
    """The goal in milliseconds; half-way, and a percentage of the float network's, are of measured times.

    Raises BudgetError for one that no choice can keep, so that nothing is trained in vain.
    """
    if wish is None:
        limit = (times.float_ms + times.binary_ms) / 2
        return Goal(f"{limit:.4g}ms (half-way)", "ms", limit, None)
    goal = Goal(str(wish), "ms", float(wish.value / 100 * times.float_ms if wish.relative else wish.value), None)
    if times.binary_ms > goal.limit:
        _refuse_impossible(times.fitted.cost, goal)
    return goal


def _refuse_impossible(cost: AdditiveCost, goal: Goal) -> None:
    """Selecting with equal scores refuses what is impossible, and says what is possible and which layers bind."""
    select(dict.fromkeys(cost.names, 0.0), cost, Budget(goal.limit, goal.unit))
