"""FLOPs in place of milliseconds: scaled between the two ends, chosen by the same solver, and measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.loop import choose_by_flops as by_flops
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.choose_by_flops import choose_by_flops, flops_between
from b2nn_tvm.loop.measuring.measure_costs import exact_cost
from b2nn_tvm.mixbin.selection.select import select
from tests.support.loop.small_job import BINARY_MS, FLOAT_MS, NAMES, REST_MS, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))
FULL_MS, LEAST_MS = REST_MS + 4 * FLOAT_MS, REST_MS + 4 * BINARY_MS


def test_the_ends_have_their_measured_times_and_flops_decide_between_them(tmp_path: Path) -> None:
    flops = exact_cost(small_job(tmp_path), "flops")
    scaled = flops_between(flops, FULL_MS, LEAST_MS)
    assert scaled.unit == "ms" and float(scaled.full) == pytest.approx(FULL_MS)
    assert float(scaled.total(NAMES)) == pytest.approx(LEAST_MS)
    for name in NAMES:
        share = float(flops.saving(name)) / sum(float(flops.saving(each)) for each in NAMES)
        assert float(scaled.saving(name)) == pytest.approx(share * (FULL_MS - LEAST_MS))


def test_without_savings_in_time_there_is_no_scale(tmp_path: Path) -> None:
    flops = exact_cost(small_job(tmp_path), "flops")
    assert flops_between(flops, 1.0, 1.0) is None and flops_between(flops, 1.0, 2.0) is None


@pytest.mark.parametrize("limit", [2.0, 3.0, 4.0])
def test_the_choice_is_that_of_flops_and_its_time_the_devices(tmp_path: Path, monkeypatch, limit: float) -> None:
    job, device = small_job(tmp_path), Device(factor=1.3)
    monkeypatch.setattr(by_flops, "measure_networks", device.measure_networks)
    measured = made_up_cost(job, device)
    found = choose_by_flops(job, BudgetGoal("", "ms", limit, None), SCORES, measured)
    scaled = flops_between(exact_cost(job, "flops"), measured.float_ms, measured.binary_ms)
    assert found.binary == select(SCORES, scaled, Budget(limit, "ms")).binary
    assert found.measured_ms == device(job, found.binary).ms and found.keeps == (found.measured_ms <= limit)
    assert found.flops == float(exact_cost(job, "flops").total(found.binary))
    assert found.harm == pytest.approx(sum(SCORES[name] for name in found.binary))


def test_a_budget_that_flops_cannot_keep_has_no_choice(tmp_path: Path, monkeypatch) -> None:
    job, device = small_job(tmp_path), Device()
    monkeypatch.setattr(by_flops, "measure_networks", device.measure_networks)
    goal = BudgetGoal("", "ms", LEAST_MS / 2, None)
    assert choose_by_flops(job, goal, SCORES, made_up_cost(job, device)) is None
    progressive = small_job(tmp_path, progressive="rear")
    goal = replace(goal, limit=3.0)
    assert choose_by_flops(progressive, goal, SCORES, made_up_cost(progressive, device)).binary
