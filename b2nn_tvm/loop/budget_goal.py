"""The budgets, from the user's words to numbers that can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, parse_budget
from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import check_arguments
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, exact_cost
from b2nn_tvm.mixbin.selection.select import select

ExactLimit = tuple[AdditiveCost, Budget]


@dataclass(frozen=True)
class BudgetGoal:
    """The budget as a number: the network costs at most ``limit``, in ``unit``.

    ``cost`` is the exact cost model, None for milliseconds. ``also`` are further budgets in FLOPs or bytes, with their
    exact costs, that are kept as well. ``words`` is all of it in words, for reports. ``quantile`` is the share of the
    observed times that a limit in milliseconds is about, None for the undisturbed time.
    """

    words: str
    unit: str
    limit: float
    cost: AdditiveCost | None
    also: tuple[ExactLimit, ...] = ()
    quantile: float | None = None


def parse_goal(budget: str | Budget | Sequence[str | Budget] | None, *, rule: str) -> tuple[Budget, ...]:
    """The parsed budgets; none at all stands for half-way between all binary and all float, in milliseconds.

    Raises InputError for words that are no budget, for two budgets in one unit, and for milliseconds or several budgets
    under a rule other than "strict".
    """
    given = [] if budget is None else [budget] if isinstance(budget, (str, Budget)) else list(budget)
    for each in given:
        check_arguments({"budget": str | Budget}, {"budget": each})
    budgets = tuple(parse_budget(each) if isinstance(each, str) else each for each in given)
    units = [each.unit for each in budgets]
    twice = [unit for unit in dict.fromkeys(units) if units.count(unit) > 1]
    if twice:
        raise InputError(f"expected at most one budget in {twice[0]}, but got {_words(budgets)}: give the lower one")
    if rule != "strict" and (not budgets or "ms" in units):
        raise InputError(f"rule {rule!r}: a budget in milliseconds is kept by measurement, so its rule is 'strict'")
    if rule != "strict" and len(budgets) > 1:
        raise InputError(f"rule {rule!r}: expected one budget, but got {_words(budgets)}; several are kept by 'strict'")
    return budgets


def exact_limits(job: Job, budgets: Sequence[Budget]) -> tuple[ExactLimit, ...]:
    """The budgets in FLOPs and bytes with their exact costs; raises BudgetError where no choice keeps all of these."""
    limits = tuple((exact_cost(job, budget.unit), budget) for budget in budgets if budget.unit != "ms")
    if limits:
        _refuse_impossible(limits)
    return limits


def exact_goal(job: Job, budgets: Budget | Sequence[Budget] | None) -> BudgetGoal | None:
    """The goal in FLOPs or bytes, None where one of the budgets is in milliseconds, or where there is none.

    Raises BudgetError where no choice can keep the budgets.
    """
    budgets = _all(budgets)
    if not budgets or any(budget.unit == "ms" for budget in budgets):
        return None
    (cost, first), *also = exact_limits(job, budgets)
    return BudgetGoal(_words(budgets), first.unit, float(first.limit(cost)), cost, tuple(also))


def latency_goal(
    budgets: Budget | Sequence[Budget] | None, measured: MeasuredCost, *, also: Sequence[ExactLimit] = ()
) -> BudgetGoal:
    """The goal in milliseconds; half-way, or a percentage of the float network's time, is computed from measured times.

    ``also`` are the ``exact_limits`` of the other budgets. Raises BudgetError for budgets that no choice can keep, so
    that nothing is trained in vain.
    """
    budgets, also = _all(budgets), tuple(also)
    if not budgets:
        limit = (measured.float_ms + measured.binary_ms) / 2
        return BudgetGoal(f"{limit:.4g}ms (half-way)", "ms", limit, None)
    budget = next(budget for budget in budgets if budget.unit == "ms")
    limit = float(budget.value / 100 * measured.float_ms if budget.relative else budget.value)
    cost = measured.fitted.cost
    everything_keeps = all(exact.total(exact.fewest_bits) <= other.limit(exact) for exact, other in also)
    if measured.binary_ms > limit or not everything_keeps:
        _refuse_impossible([(cost, Budget(limit, "ms")), *also])
    return BudgetGoal(_words(budgets), "ms", limit, None, also, budget.quantile)


def loose_words(goal: BudgetGoal, measured: MeasuredCost) -> str | None:
    """A sentence where the float network keeps the budget already, None where layers have to become binary."""
    needs = measured.float_ms if goal.cost is None else float(goal.cost.full)
    if needs > goal.limit or any(exact.full > other.limit(exact) for exact, other in goal.also):
        return None
    return (
        f"the float network keeps the budget of {goal.words} as it is, so no layer has to become binary: give a tighter"
        f" one, such as {'60%' + goal.unit}"
    )


def _refuse_impossible(limits: Sequence[ExactLimit]) -> None:
    """Raise BudgetError for budgets that no choice can keep; ``select`` says what is possible and which layers bind."""
    (cost, budget), *also = limits
    select(dict.fromkeys(cost.names, 0.0), cost, budget, also=also)


def _all(budgets: Budget | Sequence[Budget] | None) -> tuple[Budget, ...]:
    return () if budgets is None else (budgets,) if isinstance(budgets, Budget) else tuple(budgets)


def _words(budgets: Sequence[Budget]) -> str:
    return " and ".join(map(str, budgets))
