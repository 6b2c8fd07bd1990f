"""Layers by their scores under an exact budget, by measurement under milliseconds, by a progression, or as planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from b2nn_tvm.costs.budget import Budget, parse_budget
from b2nn_tvm.loop import find_within_budget
from b2nn_tvm.loop.budget_goal import BudgetGoal, exact_goal, exact_limits, latency_goal
from b2nn_tvm.loop.choose_plan import choice_of_plan, choose
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.plan import Precision
from tests.support.loop.small_job import BINARY_MS, FLOAT_MS, NAMES, REST_MS, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))


def milliseconds(binary: tuple[str, ...]) -> float:
    return REST_MS + sum(BINARY_MS if name in binary else FLOAT_MS for name in NAMES)


@pytest.mark.parametrize("budget", ["40%bytes", "60%flops"])
@pytest.mark.parametrize("solver", ["sort", "exact"])
def test_an_exact_budget_is_kept_by_scores_alone(tmp_path: Path, budget: str, solver: str) -> None:
    job = small_job(tmp_path, solver=solver)
    goal, measured = exact_goal(job, parse_budget(budget)), made_up_cost(job, Device())
    choice = choose(job, goal, SCORES, measured, goal.limit)
    expected = select(SCORES, goal.cost, Budget(goal.limit, goal.unit), rule="strict", solver=solver)
    assert choice.binary == expected.binary and len(choice.binary) > 0
    assert choice.predicted == float(goal.cost.total(choice.binary)) <= goal.limit
    assert choice.predicted_ms == pytest.approx(milliseconds(choice.binary), rel=1e-3)
    assert choice.precision is Precision.BINARY and choice.network is None and choice.attempts == choice.steps == ()
    assert choice.certificate == expected.certificate and choice.certificate.solver == solver


def test_all_of_several_exact_budgets_are_kept(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    goal = exact_goal(job, (parse_budget("90%flops"), parse_budget("40%bytes")))
    choice = choose(job, goal, SCORES, made_up_cost(job, Device()), goal.limit)
    ((size, limit),) = goal.also
    assert float(goal.cost.total(choice.binary)) <= goal.limit and size.total(choice.binary) <= limit.limit(size)
    alone = choose(job, exact_goal(job, parse_budget("90%flops")), SCORES, made_up_cost(job, Device()), goal.limit)
    assert size.total(alone.binary) > limit.limit(size)


def test_milliseconds_and_bytes_are_kept_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    monkeypatch.setattr(find_within_budget, "measure_networks", device.measure_networks)
    job = small_job(tmp_path)
    measured = made_up_cost(job, device)
    budgets = (parse_budget("4ms"), parse_budget("40%bytes"))
    goal = latency_goal(budgets, measured, also=exact_limits(job, budgets))
    choice = choose(job, goal, SCORES, measured, goal.limit)
    ((size, limit),) = goal.also
    assert device(job, choice.binary).ms <= 4 and size.total(choice.binary) <= limit.limit(size)
    alone = choose(job, latency_goal(budgets[0], measured), SCORES, measured, 4.0)
    assert size.total(alone.binary) > limit.limit(size) and len(alone.binary) < len(choice.binary)
    assert choice.certificate.solver == "exact" and choice.certificate.gap == 0


def test_milliseconds_are_kept_by_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(factor=1.2)
    monkeypatch.setattr(find_within_budget, "measure_networks", device.measure_networks)
    job = small_job(tmp_path)
    choice = choose(job, BudgetGoal("3.5ms", "ms", 3.5, None), SCORES, made_up_cost(job, device), 3.5)
    assert device(job, choice.binary).ms <= 3.5
    assert set(choice.binary) == set(sorted(NAMES, key=SCORES.get)[: len(choice.binary)])
    assert choice.predicted == choice.predicted_ms and len(choice.attempts) >= 1
    assert {one.binary for one in choice.measured.networks} == {(), NAMES, *(one.binary for one in choice.attempts)}


def test_a_progression_without_training_only_chooses(tmp_path: Path) -> None:
    job = small_job(tmp_path, progressive="rear", epochs_per_layer=0)
    goal = exact_goal(job, parse_budget("60%flops"))
    choice = choose(job, goal, {}, made_up_cost(job, Device()), goal.limit)
    assert choice.binary == NAMES[-len(choice.binary) :] and choice.predicted <= goal.limit
    assert tuple(step.layer for step in choice.steps) == choice.binary[::-1]
    assert choice.network is None and choice.precision is Precision.BINARY
    assert choice.predicted_ms == pytest.approx(milliseconds(choice.binary), rel=1e-3)


def test_a_progression_of_binary_weights_has_a_network_and_no_time(tmp_path: Path) -> None:
    job = small_job(tmp_path, progressive="layer-wise-priority", epochs_per_layer=0)
    goal = exact_goal(job, parse_budget("40%bytes"))
    choice = choose(job, goal, {}, made_up_cost(job, Device()), goal.limit)
    assert choice.precision is Precision.WEIGHT_BINARY and choice.predicted_ms is None
    assert choice.network(torch.zeros(1, 1, 8, 8)).shape == (1, 3)
    assert not any(isinstance(module, BinaryConv2d) for module in job.model.modules())


def test_a_plan_is_taken_as_it_is_over_the_budget_or_not(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    goal, measured = exact_goal(job, parse_budget("30%bytes")), made_up_cost(job, Device())
    planned = choice_of_plan(goal, measured, NAMES[:1])
    assert planned.binary == NAMES[:1] and planned.predicted == float(goal.cost.total(NAMES[:1])) > goal.limit
    timed = choice_of_plan(BudgetGoal("1ms", "ms", 1.0, None), measured, NAMES[:1])
    assert planned.certificate is None
    assert timed.predicted == timed.predicted_ms == planned.predicted_ms == pytest.approx(3.6, rel=1e-3)
