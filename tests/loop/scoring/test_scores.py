"""Scores of the eligible layers: those of the method, found again on disk while nothing that they depend on changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.loop.budget_goal import exact_goal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.scoring.scores import PHASE, score
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry
from tests.support.loop.small_job import NAMES, Device, made_up_cost, small_job


def scored(job: Job, budget: str = "50%bytes") -> dict[str, float]:
    return score(job, exact_goal(job, parse_budget(budget)), made_up_cost(job, Device()))


def test_they_are_the_methods_on_the_calibration_images(tmp_path: Path) -> None:
    job = small_job(tmp_path, method="mixbin-loss", seed=3)
    expected = registry.score("mixbin-loss", job.model, job.data.calibration(seed=3), layers=NAMES, seed=3)
    assert scored(job) == pytest.approx(dict(expected.scores)) and set(expected.scores) == set(NAMES)


def test_they_are_on_disk_until_the_network_the_seed_or_the_method_changes(tmp_path: Path) -> None:
    heard: list[tuple] = []
    first = scored(replace(small_job(tmp_path, method="front"), progress=lambda *call: heard.append(call)))
    assert sorted(first, key=first.get) == list(NAMES) and heard[-1] == (PHASE, 4, 4)
    assert not list(tmp_path.rglob("*.steps"))
    again = small_job(tmp_path, method="front")
    assert scored(again) == first and again.state.reused == ["scores"]
    other = small_job(tmp_path, method="front")
    with torch.no_grad():
        other.model.fc.bias.add_(1)
    for changed in (small_job(tmp_path, method="front", seed=1), small_job(tmp_path, method="rear"), other):
        scored(changed)
        assert changed.state.reused == []


def test_the_budget_counts_for_methods_that_ask_for_it_alone(tmp_path: Path) -> None:
    for method, reused in (("pseudo-random", []), ("random", ["scores"])):
        folder = tmp_path / method
        scored(small_job(folder, method=method), "50%bytes")
        same, other = small_job(folder, method=method), small_job(folder, method=method)
        scored(same, "50%bytes")
        scored(other, "70%bytes")
        assert same.state.reused == ["scores"] and other.state.reused == reused


@pytest.mark.sweep
def test_every_option_has_a_score(tmp_path: Path) -> None:
    job = small_job(tmp_path, precisions="1,8,32")
    measured = made_up_cost(small_job(tmp_path / "two precisions"), Device())  # which this method does not ask for
    scored = lambda job: score(job, exact_goal(job, parse_budget("50%bytes")), measured)
    found = scored(job)
    assert tuple(found) == job.options
    batches = job.data.calibration(seed=0)
    binary, int8 = (registry.score("mixbin-loss", job.model, batches, precision=word) for word in ("binary", "int8"))
    expected = {**binary.scores, **{f"{name}@int8": score for name, score in int8.scores.items()}}
    assert found == pytest.approx(expected)
    again = small_job(tmp_path, precisions="1,8,32")
    assert scored(again) == found and again.state.reused == ["scores"]
    assert scored(small_job(tmp_path)).keys() == set(NAMES)


def test_it_goes_on_from_the_parts_that_a_scheduler_left(tmp_path: Path) -> None:
    """The parts of an interrupted scoring on other machines, made up here: their scores are taken as they are."""
    begun, known = small_job(tmp_path, method="mixbin-loss"), NAMES[1:]
    expected = scored(begun)
    begun.state.forget("scores")
    (begun.state.files("scores") / "sensitivity.json").unlink()
    path = begun.state.files("scores") / "parts" / "binary-1" / "sensitivity.json"
    Sensitivity("mixbin-loss", {name: expected[name] + 1 for name in known}).save(path)
    found = scored(small_job(tmp_path, method="mixbin-loss"))
    assert found == {name: expected[name] + (name in known) for name in NAMES}


@pytest.mark.sweep
def test_the_workers_of_a_scheduler_find_the_same(one_thread: None, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        for method, precisions in (("mixbin-loss", "1,8,32"), ("hawq-v2", "1,32")):
            here, there = (
                small_job(tmp_path / method / where, method=method, precisions=precisions) for where in ("a", "b")
            )
            goal = exact_goal(here, parse_budget("50%bytes"))
            measured = made_up_cost(small_job(tmp_path / "two precisions"), Device())
            expected = score(here, goal, measured)
            assert score(there, goal, measured, scheduler=cluster.scheduler_address) == expected
            assert not list(tmp_path.rglob("*.here")) and not list(tmp_path.rglob("*.pickle"))
    again = small_job(tmp_path / method / "b", method=method, precisions=precisions)
    assert score(again, goal, measured, scheduler="nobody asks it") == expected and again.state.reused == ["scores"]
