"""What depends on milliseconds is derived again where the device turns out to be faster than it was first measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.loop import measure_and_choose as module
from b2nn_tvm.loop.measure_and_choose import FASTER, Chosen, measure_and_choose
from b2nn_tvm.loop.measuring.settle_references import SettledAnew
from tests.support.loop.small_job import Device, made_up_cost, small_job


def test_budget_and_choice_follow_a_device_that_was_disturbed_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It seems twice as slow until the choice is measured: the budget of 60 % is half of the first one then, and the
    float network is trained once.
    """
    device, speeds, trained, limits, notes = Device(), [2.0, 2.0, 1.0], [], [], []

    def measure_cost(job, *, quantile):
        measured = made_up_cost(job, device)
        slow = speeds.pop(0)
        return replace(measured, networks=tuple(replace(time, ms=slow * time.ms) for time in measured.networks))

    def choose_and_deliver(job, goal, scores, measured, folder, imported_plan):
        limits.append(goal.limit)
        if len(limits) == 1:
            raise SettledAnew
        return SimpleNamespace(binary=()), mixed, None, ()

    mixed = SimpleNamespace(validation_accuracy=1.0)
    monkeypatch.setattr(module, "measure_cost", measure_cost)
    monkeypatch.setattr(module, "choose_and_deliver", choose_and_deliver)
    monkeypatch.setattr(module, "train_parent", lambda job: trained.append(job) or mixed)
    monkeypatch.setattr(module, "score", lambda *of, scheduler: {})
    job = small_job(tmp_path)
    budgets = [parse_budget("60%ms")]
    chosen = measure_and_choose(job, tmp_path, budgets, None, (), None, scheduler=None, note=notes.append)
    assert isinstance(chosen, Chosen) and chosen.goal.limit == limits[1] == pytest.approx(limits[0] / 2)
    assert speeds == [] and len(trained) == 1 and notes == [FASTER]
