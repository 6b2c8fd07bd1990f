"""From a choice to its plan, its label and the ranks of its layers; tests/end_to_end/test_search.py trains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.loop.budget_goal import exact_goal
from b2nn_tvm.loop.choose_plan import choice_of_plan, choose
from b2nn_tvm.loop.result_rows import fine_tuned_front, method_label, plan_of, quality_of, ranks_of
from b2nn_tvm.loop.settings import SelectionSettings
from b2nn_tvm.plan import Plan, Precision
from tests.support.loop.small_job import NAMES, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))


def test_a_plan_has_the_choice_and_what_is_proven_of_it(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    goal, measured = exact_goal(job, parse_budget("60%flops")), made_up_cost(job, Device())
    choice = choose(job, goal, SCORES, measured, goal.limit)
    plan = plan_of(job, choice, goal, None)
    assert plan.binary == choice.binary and (plan.unit, plan.budget) == ("flops", "60%flops")
    assert plan.certificate == choice.certificate and plan.method == job.settings.selection.label
    assert plan_of(job, choice, goal, Plan({}, method="by hand")).method == "by hand"
    assert quality_of(measured).networks == 2


def test_ranks_stand_for_scores_where_layers_became_binary_in_turn(tmp_path: Path) -> None:
    job = small_job(tmp_path, progressive="rear", epochs_per_layer=0)
    goal, measured = exact_goal(job, parse_budget("60%flops")), made_up_cost(job, Device())
    choice = choose(job, goal, {}, measured, goal.limit)
    ranks = ranks_of(job, choice, None)
    assert sorted(ranks.values()) == [0, 1, 2, 3] and ranks[NAMES[-1]] == 0
    planned = choice_of_plan(goal, measured, NAMES[:1])
    assert all(math.isnan(rank) for rank in ranks_of(job, planned, Plan({})).values())


@pytest.mark.parametrize(
    ("selection", "plan", "label"),
    [
        (SelectionSettings(), None, "mixbin-loss, strict, exact"),
        (SelectionSettings(progressive="rear"), None, "progressive rear"),
        (SelectionSettings(), Plan({"a": Precision.BINARY}, method="by hand"), "by hand, the plan mine.json"),
    ],
)
def test_how_layers_were_chosen_in_words(selection: SelectionSettings, plan: Plan | None, label: str) -> None:
    assert method_label(selection, plan, "mine.json") == label


def test_no_front_is_measured_unless_it_is_asked_for(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    measured = made_up_cost(job, Device())
    assert fine_tuned_front(job, SCORES, measured, 0, accuracy=True) == ((), (), measured)
