"""A library over the budget is followed by a choice within a lower bound; times and libraries are made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop import choose_and_deliver as module
from b2nn_tvm.loop import find_within_budget
from b2nn_tvm.loop.budget_goal import latency_goal
from b2nn_tvm.loop.choose_and_deliver import ROUNDS, choose_and_deliver
from b2nn_tvm.loop.delivery import Delivery
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.plan import Plan
from tests.support.loop.small_job import NAMES, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))
LIMIT_MS = 3.0


@pytest.fixture
def deliveries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """A function that chooses and delivers with libraries that are slower than the candidates by these factors."""
    device = Device()
    monkeypatch.setattr(find_within_budget, "measure_networks", device.measure_networks)
    job = small_job(tmp_path)
    measured = made_up_cost(job, device)
    goal = latency_goal(parse_budget(f"{LIMIT_MS}ms"), measured)

    def run(*factors: float, plan: Plan | None = None):
        left = list(factors)

        def deliver(job, model, folder, *, phase, limit_ms, plan_digest, quantile) -> Delivery:
            assert limit_ms == LIMIT_MS and len(plan_digest) == len(model_digest(model)) == 64
            binary = tuple(name for name, each in model.named_modules() if isinstance(each, BinaryConv2d))
            ms = (left.pop(0) if len(left) > 1 else left[0]) * device(job, binary).ms
            time = replace(device(job, binary), ms=ms, low_ms=ms, high_ms=ms)
            return Delivery({"native": folder}, time, 1000, 0.5, 8, 8, "made up", "none")

        monkeypatch.setattr(module, "deliver", deliver)
        return choose_and_deliver(job, goal, SCORES, measured, tmp_path, plan)

    return run


def test_what_keeps_the_budget_is_delivered_at_once(deliveries) -> None:
    choice, _, delivery, rounds = deliveries(1.0)
    assert delivery.measured_ms <= LIMIT_MS and [each.status for each in rounds] == ["kept"]
    assert rounds[0].binary == choice.binary and rounds[0].bound == LIMIT_MS


def test_a_library_over_the_budget_is_followed_by_another_choice(deliveries) -> None:
    choice, _, delivery, (first, second) = deliveries(1.4, 1.0)
    assert (first.status, second.status) == ("over", "kept") and first.time.ms > LIMIT_MS >= delivery.measured_ms
    assert second.bound < first.bound and second.binary == choice.binary != first.binary
    assert second.harm >= first.harm


def test_where_no_library_keeps_it_the_search_ends(deliveries) -> None:
    with pytest.raises(BudgetError, match="over the budget"):
        deliveries(*(5.0,) * ROUNDS)


def test_a_plan_is_delivered_as_it_is(deliveries) -> None:
    plan = Plan({name: "binary" if name == NAMES[0] else "float" for name in NAMES})
    choice, _, _, rounds = deliveries(1.0, plan=plan)
    assert choice.binary == NAMES[:1] and [each.status for each in rounds] == ["over"]
