"""The front over budgets on a made-up device: the least harmful measured choice within each of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.front import measure_front as fronts
from b2nn_tvm.loop.front.measure_front import measure_front
from b2nn_tvm.loop.measuring.measure_costs import refit
from tests.support.loop.small_job import NAMES, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.45, 0.2), strict=True))


def test_observed_times_have_no_interval(tmp_path: Path, monkeypatch) -> None:
    device, job = Disturbed(), small_job(tmp_path)
    monkeypatch.setattr(fronts, "measure_networks", device.measure_networks)
    cost = refit(job, [device(job, ()), device(job, NAMES)], quantile=0.9)
    points, _ = measure_front(job, SCORES, cost, 3)
    assert points and all(point.ms == device(job, point.binary).p90_ms for point in points)
    assert all(math.isnan(point.low_ms) and math.isnan(point.high_ms) for point in points)


class Disturbed(Device):
    """90 % of the runs are observed within twice the undisturbed time."""

    def __call__(self, job, binary):
        time = super().__call__(job, binary)
        return replace(time, low_ms=time.ms, high_ms=time.ms, p90_ms=2 * time.ms)


def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, factor: float = 1.0, points: int = 5):
    device, job = Device(factor), small_job(tmp_path)
    monkeypatch.setattr(fronts, "measure_networks", device.measure_networks)
    points, cost = measure_front(job, SCORES, made_up_cost(job, device), points)
    return device, job, points, cost


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.2])
def test_no_point_is_beaten_by_any_measured_choice(tmp_path: Path, monkeypatch, factor: float) -> None:
    device, job, points, cost = measured(tmp_path, monkeypatch, factor=factor)
    harm = lambda choice: sum(SCORES[name] for name in choice)
    for point in points:
        assert point.ms == device(job, point.binary).ms and point.harm == pytest.approx(harm(point.binary))
        for time in cost.networks:
            assert not (time.ms < point.ms and harm(time.binary) <= point.harm)
    times = [point.ms for point in points]
    assert times == sorted(times) and len(set(times)) == len(times) and points[-1].binary == ()
    assert len(device.asked) - len(set(device.asked)) <= len(points)  # only this test asks again


def test_on_a_device_that_adds_up_every_budget_has_the_best_of_all_choices(tmp_path: Path, monkeypatch) -> None:
    device, job, points, _ = measured(tmp_path, monkeypatch)
    everything = [choice for count in range(5) for choice in itertools.combinations(NAMES, count)]
    fastest, slowest = device(job, NAMES).ms, device(job, ()).ms
    for index in range(5):
        budget = fastest + index / 4 * (slowest - fastest) + 1e-9
        least = min(sum(map(SCORES.get, choice)) for choice in everything if device(job, choice).ms <= budget)
        assert min(point.harm for point in points if point.ms <= budget) == pytest.approx(least)


def test_the_knee_bends_most(tmp_path: Path, monkeypatch) -> None:
    _, _, points, _ = measured(tmp_path, monkeypatch)
    assert sum(point.knee for point in points) == 1 and not points[0].knee and not points[-1].knee


def test_a_front_of_one_point_is_refused(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(InputError, match="at least 2 points, but got 1"):
        measured(tmp_path, monkeypatch, points=1)
