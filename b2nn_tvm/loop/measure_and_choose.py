"""From the measured cost model to the delivered library: all of a search that depends on milliseconds and decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.loop.budget_goal import BudgetGoal, ExactLimit, latency_goal, loose_words
from b2nn_tvm.loop.choose_and_deliver import choose_and_deliver
from b2nn_tvm.loop.choose_plan import Choice
from b2nn_tvm.loop.delivery import Delivery
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.busy import busy_words
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, measure_cost
from b2nn_tvm.loop.measuring.settle_references import until_settled
from b2nn_tvm.loop.preflight.near_chance import near_chance
from b2nn_tvm.loop.results.result import Round
from b2nn_tvm.loop.scoring.scores import score
from b2nn_tvm.loop.training import Trained, train_parent
from b2nn_tvm.plan import Plan

if TYPE_CHECKING:
    from b2nn_tvm.progress import Note

FASTER = (
    "the device is faster than it was while it was first measured: something slowed it down then; all times are stated"
    " anew from what was measured, and layers are chosen by these"
)


@dataclass(frozen=True)
class Chosen:
    """What a search has chosen and delivered, and by what."""

    goal: BudgetGoal
    measured: MeasuredCost
    parent: Trained
    scores: dict[str, float]
    choice: Choice
    mixed: Trained
    delivery: Delivery
    rounds: tuple[Round, ...]


def measure_and_choose(
    job: Job,
    folder: Path,
    budgets: Sequence[Budget],
    exact_goal: BudgetGoal | None,
    exact: Sequence[ExactLimit],
    imported_plan: Plan | None,
    *,
    scheduler: str | None,
    note: Note,
) -> Chosen:
    """Measure, train the parent, score, choose and deliver; ``exact_goal`` is None where the budget is in
    milliseconds, and ``exact`` are the budgets beside it.

    Where the device turns out to be faster than it was first measured, before anything is fine-tuned, budget and choice
    are derived again.
    """
    quantile = next((each.quantile for each in budgets if each.unit == "ms"), None)

    def measure() -> tuple[MeasuredCost, BudgetGoal]:
        measured = measure_cost(job, quantile=quantile)
        return measured, exact_goal or latency_goal(budgets, measured, also=exact)

    def choose() -> Chosen:
        measured, goal = measure()
        scores: dict[str, float] = {}
        if imported_plan is None and job.settings.selection.needs_scores:
            scores = score(job, goal, measured, scheduler=scheduler)
        delivered = choose_and_deliver(job, goal, scores, measured, folder, imported_plan)
        return Chosen(goal, measured, parent, scores, *delivered)

    measured, goal = until_settled(measure)
    if imported_plan is None and (loose := loose_words(goal, measured)):
        note(loose)
    if busy := busy_words(measured.networks):
        note(busy)
    parent = train_parent(job)
    if doubt := near_chance("the float network", parent.validation_accuracy, job.data):
        note(doubt)
    chosen = until_settled(choose, lambda: note(FASTER))
    if not doubt and (doubt := near_chance("the delivered network", chosen.mixed.validation_accuracy, job.data)):
        note(doubt)
    return chosen
