"""The budget, from the user's words to a number that can be kept."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.costs.additive import AdditiveCost, Budget, parse_budget
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measure_costs import MeasuredCost, exact_cost
from b2nn_tvm.mixbin.selection.select import select


@dataclass(frozen=True)
class BudgetGoal:
    """The budget as a number: the network costs at most ``limit``, in ``unit``.

    ``cost`` is the exact cost model, None for milliseconds; ``words`` is the budget in words, for reports.
    """

    words: str
    unit: str
    limit: float
    cost: AdditiveCost | None


def parse_goal(budget: str | Budget | None, *, rule: str) -> Budget | None:
    """The parsed budget; None stands for half-way between all binary and all float, in milliseconds.

    Raises InputError for words that are no budget, and for milliseconds under a rule other than "strict".
    """
    budget = parse_budget(budget) if isinstance(budget, str) else budget
    if rule != "strict" and (budget is None or budget.unit == "ms"):
        raise InputError(f"rule {rule!r}: a budget in milliseconds is kept by measurement, so its rule is 'strict'")
    return budget


def exact_goal(job: Job, budget: Budget | None) -> BudgetGoal | None:
    """The goal in FLOPs or bytes, None for a budget in milliseconds; raises BudgetError where no choice can keep it."""
    if budget is None or budget.unit == "ms":
        return None
    cost = exact_cost(job, budget.unit)
    goal = BudgetGoal(str(budget), budget.unit, float(budget.limit(cost)), cost)
    _refuse_impossible(cost, goal)
    return goal


def latency_goal(budget: Budget | None, measured: MeasuredCost) -> BudgetGoal:
    """The goal in milliseconds; half-way, or a percentage of the float network's time, is computed from measured times.

    Raises BudgetError for a budget that no choice can keep, so that nothing is trained in vain.
    """
    if budget is None:
        limit = (measured.float_ms + measured.binary_ms) / 2
        return BudgetGoal(f"{limit:.4g}ms (half-way)", "ms", limit, None)
    goal = BudgetGoal(
        str(budget), "ms", float(budget.value / 100 * measured.float_ms if budget.relative else budget.value), None
    )
    if measured.binary_ms > goal.limit:
        _refuse_impossible(measured.fitted.cost, goal)
    return goal


def _refuse_impossible(cost: AdditiveCost, goal: BudgetGoal) -> None:
    """Raise BudgetError for a goal that no choice can keep; ``select`` says what is possible and which layers bind."""
    select(dict.fromkeys(cost.names, 0.0), cost, Budget(goal.limit, goal.unit))
