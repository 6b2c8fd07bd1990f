"""Select the layers to binarize under one or several budgets: as the exact optimum, or by the paper's sort.

Scores are the harm of binarizing each layer alone (Delta, the rise of the loss): the lowest is binarized first.
(MixBin, algorithm 1, prints kappa = -Delta in ascending order, which would take the most harmful layers first.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Budget, Number
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.selection.limits import Constraint, Limit, considered, limits_of, refuse_impossible
from b2nn_tvm.mixbin.selection.solve_exactly import harm_of, solve
from b2nn_tvm.plan import Certificate

RULES = ("strict", "nearest", "at_least")
SOLVERS = ("exact", "sort")


@dataclass(frozen=True)
class Selection:
    """The chosen layers (or options of layers, see costs/options.py), in network order, and their cost.

    ``achieved`` and ``limit`` are in ``unit``, under the first budget; ``share`` is achieved over the float network's
    cost; ``harm`` is the sum of the chosen scores and of the terms of chosen pairs; ``kept`` are the layers never
    considered, since binarizing them never makes a choice cheaper. ``bound`` is proven: no choice within the budgets
    has less harm (NaN for the sort, which proves nothing).
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

    @property
    def certificate(self) -> Certificate:
        """The harm and what is proven of it, as a plan keeps it."""
        proven = math.isfinite(self.bound)
        return Certificate(self.harm, self.bound if proven else None, self.gap if proven else None, self.solver)


def select(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    budget: Budget | Number,
    *,
    also: Sequence[Constraint] = (),
    rule: str = "strict",
    solver: str | None = None,
    pairwise: Mapping[tuple[str, str], float] | None = None,
    only: Collection[str] | None = None,
) -> Selection:
    """Choose the layers to binarize so that the cost meets ``budget``, and each cost in ``also`` its own budget.

    A budget that is a number is in its cost's unit. Where layers may have more precisions, scores, costs and choices
    are of options (costs/options.py), of which at most one is chosen for each layer (a multiple-choice knapsack).
    ``only`` names the layers or options that may be chosen, None for all of them.

    "exact" minimizes the sum of the scores, plus ``pairwise`` terms of layers chosen together, under cost <= budget. It
    is the default under the rule "strict". "sort" binarizes by ascending score and stops at the first choice that keeps
    all budgets ("strict"), at the cost nearest to the budget ("nearest"), or at the last cost not below it ("at_least":
    MixBin's tables overshoot like this). The exact choice is never more harmful than the sort's.

    Raises BudgetError, with the best possible cost and the layers that weigh most, where no choice meets one of the
    budgets, or all of them together; InputError where scores are missing or not finite, where costs are of different
    layers, or where rule, solver and terms do not go together.
    """
    solver = solver or ("exact" if rule == "strict" else "sort")
    _check(scores, cost, rule, solver, pairwise, also)
    limits = limits_of([(cost, budget), *also])
    if rule != "at_least":
        refuse_impossible(limits)
    names = considered([limit.cost for limit in limits])
    if only is not None:
        names = tuple(name for name in names if name in only)
    ranked = sorted(names, key=lambda name: (scores[name], cost.names.index(name)))
    prefix = None if cost.has_alternatives else _stop(ranked, limits, rule)
    if solver == "exact":
        (found,) = solve({name: float(scores[name]) for name in names}, limits, pairwise or {}, known=prefix)
        chosen, bound = found.chosen, found.bound
        # Where time ran out, or by rounding, the sort may have done better.
        if prefix is not None and harm_of(prefix, scores, pairwise or {}) < harm_of(chosen, scores, pairwise or {}):
            chosen = prefix
    elif prefix is None:
        solve(dict.fromkeys(names, 0.0), limits, {})  # raises where there is no choice at all
        raise BudgetError(
            f"no choice in the order of the scores keeps {' and '.join(map(str, limits))} at once, but others do: use"
            " solver 'exact'"
        )
    else:
        chosen, bound = prefix, math.nan
    return _selection(chosen, scores, pairwise, limits, names, rule=rule, solver=solver, bound=bound)


def runners_up(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    budget: Budget | Number,
    *,
    count: int,
    also: Sequence[Constraint] = (),
    pairwise: Mapping[tuple[str, str], float] | None = None,
) -> tuple[Selection, ...]:
    """The ``count`` best choices within the budgets, or as many as there are, by exact selection, best first.

    The bound of each choice is on all choices except the better ones in front of it. Raises as ``select`` does.
    """
    _check(scores, cost, "strict", "exact", pairwise, also)
    if count < 1:
        raise InputError(f"expected a number of choices above zero, not {count}")
    limits = limits_of([(cost, budget), *also])
    refuse_impossible(limits)
    names = considered([limit.cost for limit in limits])
    found = solve({name: float(scores[name]) for name in names}, limits, pairwise or {}, count=count)
    options = {"rule": "strict", "solver": "exact"}
    return tuple(_selection(one.chosen, scores, pairwise, limits, names, bound=one.bound, **options) for one in found)


def pareto(
    scores: Mapping[str, float], cost: AdditiveCost, *, points: int = 20, solver: str = "exact"
) -> tuple[Selection, ...]:
    """The efficient choices over a grid of ``points`` budgets from the least possible cost to the float network's.

    They are sorted by ascending cost, without duplicates and without choices that another one dominates. Raises
    InputError for less than 2 points.
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


def _selection(
    chosen: Sequence[str],
    scores: Mapping[str, float],
    pairwise: Mapping[tuple[str, str], float] | None,
    limits: Sequence[Limit],
    names: Sequence[str],
    *,
    rule: str,
    solver: str,
    bound: float,
) -> Selection:
    cost, limit = limits[0].cost, limits[0].value
    binary = tuple(name for name in cost.names if name in set(chosen))
    achieved = cost.total(binary)
    kept = tuple(name for name in cost.names if name not in names)
    share = float(achieved / cost.full) if cost.full else 1.0
    harm = harm_of(binary, scores, pairwise or {})
    if bound > harm:  # by the rounding of the solver
        bound = harm
    return Selection(binary, achieved, limit, cost.unit, share, harm, kept, rule, solver, bound)


def _stop(ranked: Sequence[str], limits: Sequence[Limit], rule: str) -> tuple[str, ...] | None:
    """The first ranked layers, so many that the rule is met; None where no number of them keeps all limits."""
    prefixes = [tuple(ranked[:count]) for count in range(len(ranked) + 1)]
    if rule == "strict":
        return next((prefix for prefix in prefixes if all(limit.keeps(prefix) for limit in limits)), None)
    costs, limit = [limits[0].cost.total(prefix) for prefix in prefixes], limits[0].value
    if rule == "nearest":
        return prefixes[
            min(range(len(costs)), key=lambda count: (abs(Fraction(costs[count]) - Fraction(limit)), count))
        ]
    return prefixes[max((count for count, value in enumerate(costs) if value >= limit), default=0)]


def _check(
    scores: Mapping[str, float],
    cost: AdditiveCost,
    rule: str,
    solver: str,
    pairwise: Mapping[tuple[str, str], float] | None,
    also: Sequence[Constraint],
) -> None:
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}; the rules are {', '.join(RULES)}")
    if solver not in SOLVERS:
        raise InputError(f"unknown solver {solver!r}; the solvers are {', '.join(SOLVERS)}")
    if solver == "exact" and rule != "strict":
        raise InputError(
            f"the rule {rule!r} says where a sort stops; the exact solver knows only 'strict': use solver 'sort'"
        )
    if also and rule != "strict":
        raise InputError(f"the rule {rule!r} is about one budget; several budgets need the rule 'strict'")
    if solver == "sort" and cost.has_alternatives:
        raise InputError("a sort ranks layers, and not precisions of one layer; more than two need the solver 'exact'")
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
