"""Select the layers to binarize under a budget: by the paper's sort, or as the exact optimum.

Scores are the harm of binarizing each layer alone (Delta, the rise of the loss): the lowest is binarized first.
(MixBin, algorithm 1, prints kappa = -Delta in ascending order, which would take the most harmful layers first.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from b2nn_tvm.costs.additive import AdditiveCost, Budget, Number
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection.solve_exactly import harm_of, solve

RULES = ("strict", "nearest", "at_least")
SOLVERS = ("sort", "exact")


@dataclass(frozen=True)
class Selection:
    """The chosen layers, in network order, and their cost.

    ``achieved`` and ``limit`` are in ``unit``; ``share`` is achieved over the float network's cost; ``harm`` is the sum
    of the chosen scores and of the terms of chosen pairs; ``kept`` are the layers never considered, since their binary
    form is not cheaper. ``bound`` is the certificate: no choice within the limit has less harm (NaN for the sort, which
    proves nothing).
    """

    binary: tuple[str, ...]
    achieved: Number
    limit: Number
    unit: str
    share: float
    harm: float
    kept: tuple[str, ...]
    rule: str
    solver: str
    bound: float

    @property
    def gap(self) -> float:
        """The most that ``harm`` can be above the optimum: 0 if proven optimal, NaN where nothing is proven."""
        return math.nan if math.isnan(self.bound) else max(0.0, self.harm - self.bound)


def select(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    budget: Budget | Number,
    *,
    rule: str = "strict",
    solver: str = "sort",
    pairwise: Mapping[tuple[str, str], float] | None = None,
) -> Selection:
    """Choose the layers to binarize so that the cost meets ``budget`` (a number is in the cost's unit).

    The sort binarizes by ascending score and stops at the first cost within the budget ("strict"), at the cost nearest
    to it ("nearest"), or at the last cost not below it ("at_least": MixBin's tables overshoot like this). "exact"
    minimizes the sum of the scores, plus ``pairwise`` terms of layers chosen together, under cost <= budget.

    Raises BudgetError, with the best possible cost and the layers that weigh most, where no choice meets the budget;
    InputError where scores are missing or not finite, or rule, solver and terms do not go together.
    """
    _check(scores, cost, rule, solver, pairwise)
    limit = _limit(cost, budget, rule)
    if solver == "exact":
        harms = {name: float(scores[name]) for name in cost.worthwhile}
        (found,) = solve(harms, cost, limit, pairwise or {})
        chosen, bound = found.chosen, found.bound
    else:
        ranked = sorted(cost.worthwhile, key=lambda name: (scores[name], cost.names.index(name)))
        chosen, bound = tuple(ranked[: _stop(ranked, cost, limit, rule)]), math.nan
    return _selection(chosen, scores, pairwise, cost, limit, rule=rule, solver=solver, bound=bound)


def runners_up(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    budget: Budget | Number,
    *,
    count: int,
    pairwise: Mapping[tuple[str, str], float] | None = None,
) -> tuple[Selection, ...]:
    """The ``count`` best choices within ``budget`` (fewer where there are not so many), by exact selection, best first.

    The bound of each choice is on all choices except the better ones in front of it. Raises as ``select`` does.
    """
    _check(scores, cost, "strict", "exact", pairwise)
    if count < 1:
        raise InputError(f"expected a number of choices above zero, not {count}")
    limit = _limit(cost, budget, "strict")
    harms = {name: float(scores[name]) for name in cost.worthwhile}
    found = solve(harms, cost, limit, pairwise or {}, count=count)
    options = {"rule": "strict", "solver": "exact"}
    return tuple(_selection(one.chosen, scores, pairwise, cost, limit, bound=one.bound, **options) for one in found)


def pareto(
    scores: Mapping[str, float], cost: AdditiveCost, *, points: int = 20, solver: str = "exact"
) -> tuple[Selection, ...]:
    """The efficient choices over a grid of ``points`` budgets from the least possible cost to the float network's.

    They are sorted by ascending cost, without duplicates and without choices that another one dominates.
    """
    if points < 2:
        raise InputError(f"a front needs at least 2 points, not {points}")
    low, high = Fraction(cost.minimum()), Fraction(cost.full)
    budgets = [low + (high - low) * step / (points - 1) for step in range(points)]
    found = [select(scores, cost, budget, solver=solver) for budget in budgets]
    front: list[Selection] = []
    for one in sorted(found, key=lambda selection: (selection.achieved, selection.harm)):
        if not front or one.harm < front[-1].harm:
            front.append(one)
    return tuple(front)


def _limit(cost: AdditiveCost, budget: Budget | Number, rule: str) -> Number:
    limit = budget.limit(cost) if isinstance(budget, Budget) else budget
    if math.isnan(limit) or limit <= 0:
        raise InputError(f"the budget is {limit} {cost.unit}; expected a number above zero")
    if rule != "at_least" and cost.minimum() > limit:
        raise BudgetError(_infeasible(cost, limit))
    return limit


def _selection(
    chosen: Sequence[str],
    scores: Mapping[str, float],
    pairwise: Mapping[tuple[str, str], float] | None,
    cost: AdditiveCost,
    limit: Number,
    *,
    rule: str,
    solver: str,
    bound: float,
) -> Selection:
    binary = tuple(name for name in cost.names if name in set(chosen))
    achieved = cost.total(binary)
    kept = tuple(name for name in cost.names if name not in cost.worthwhile)
    share = float(achieved / cost.full) if cost.full else 1.0
    harm = harm_of(binary, scores, pairwise or {})
    return Selection(binary, achieved, limit, cost.unit, share, harm, kept, rule, solver, bound)


def _stop(ranked: Sequence[str], cost: AdditiveCost, limit: Number, rule: str) -> int:
    """How many of the ranked layers to binarize; each one lowers the cost."""
    costs = [cost.total(ranked[:count]) for count in range(len(ranked) + 1)]
    if rule == "strict":
        return next(count for count, value in enumerate(costs) if value <= limit)
    if rule == "nearest":
        return min(range(len(costs)), key=lambda count: (abs(Fraction(costs[count]) - Fraction(limit)), count))
    return max((count for count, value in enumerate(costs) if value >= limit), default=0)


def _check(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    rule: str,
    solver: str,
    pairwise: Mapping[tuple[str, str], float] | None,
) -> None:
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}; the rules are {', '.join(RULES)}")
    if solver not in SOLVERS:
        raise InputError(f"unknown solver {solver!r}; the solvers are {', '.join(SOLVERS)}")
    if solver == "exact" and rule != "strict":
        raise InputError(
            f"the rule {rule!r} says where a sort stops; the exact solver knows only 'strict': use solver 'sort'"
        )
    if solver == "sort" and pairwise:
        raise InputError("pairwise terms need the solver 'exact'; the sort ranks single layers")
    missing = [name for name in cost.names if name not in scores]
    if missing:
        raise InputError(f"no score is given for {', '.join(missing)}; every layer with a cost needs one")
    wrong = [name for name in cost.names if not math.isfinite(scores[name])]
    if wrong:
        raise InputError(f"the score of {', '.join(wrong)} is not a finite number; measure the sensitivity again")
    unknown = sorted({name for pair in pairwise or {} for name in pair} - set(cost.names))
    if unknown:
        raise InputError(f"pairwise terms name {', '.join(unknown)}, for which there is no cost")


def _infeasible(cost: AdditiveCost, limit: Number) -> str:
    stuck = {name: value for name, value in cost.float_cost.items() if name not in cost.worthwhile}
    heavy = sorted({**cost.fixed_parts, **stuck}.items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} ({_amount(value, cost.unit)})" for name, value in heavy if value > 0)
    best, full = _amount(cost.minimum(), cost.unit), _amount(cost.full, cost.unit)
    percent = math.ceil(1e4 * cost.minimum() / cost.full) / 100
    return (
        f"no choice costs at most {float(limit):.6g} {cost.unit}: with every layer binary that gains by it the "
        f"network still costs {best} ({percent:g} % of the float network's {full}), because of layers that stay float: "
        f"{named or 'all that are no eligible convolutions'}; allow at least {best}, or change the network"
    )


def _amount(value: Number, unit: str) -> str:
    """The value as text, rounded up so that a budget of the printed amount can be met."""
    return f"{math.ceil(value)} {unit}" if unit in ("flops", "bytes") else f"{math.ceil(1e4 * value) / 1e4:.10g} {unit}"
