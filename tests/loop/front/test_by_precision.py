"""Fronts of precisions beside one another, of times that are made up."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.loop.front import measure_front as measuring
from b2nn_tvm.loop.front.by_precision import fronts_by_precision, sets_of_precisions
from b2nn_tvm.loop.result_rows import fine_tuned_front
from tests.support.loop.small_job import Device, made_up_cost, small_job


@pytest.mark.parametrize(
    ("precisions", "sets"),
    [
        (("binary", "float"), ()),
        (("int8", "float"), ()),
        (("w1a2", "w2a2", "float"), ()),
        (("binary", "w1a2", "w2a2", "float"), (("binary", "w1a2", "w2a2", "float"), ("binary", "float"))),
        (("binary", "int8", "float"), (("binary", "int8", "float"), ("binary", "float"), ("int8", "float"))),
    ],
)
def test_a_front_of_its_own_has_what_one_would_use_otherwise(precisions: tuple, sets: tuple) -> None:
    assert sets_of_precisions(precisions) == sets


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_the_front_of_all_precisions_is_never_worse(tmp_path: Path, monkeypatch, factor: float) -> None:
    """However wrong the predictions are: mixtures take less or more than the sum of their layers."""
    device, job = Device(factor), small_job(tmp_path, precisions="1,8,32")
    monkeypatch.setattr(measuring, "measure_networks", device.measure_networks)
    harms = {"binary": 0.4, "int8": 0.1}
    scores = {each: harms[precision_of(each)] * (1 + index / 9) for index, each in enumerate(job.options)}
    front, fronts, measured = fine_tuned_front(job, scores, made_up_cost(job, device), 0, accuracy=False)
    assert front == () and [each.title for each in fronts] == ["all precisions", "binary alone", "int8 alone"]
    every, *others = fronts
    for other in others:
        assert len(other.points) > 2, "choices of one precision are measured, too"
        for point in other.points:
            assert {precision_of(each) for each in point.binary} <= set(other.precisions)
            assert every.best_within(point.ms).harm <= point.harm
    assert any({precision_of(each) for each in point.binary} == {"binary", "int8"} for point in every.points)
    times = {time.binary: time.ms for time in measured.networks}
    for each in fronts:
        assert all(times[point.binary] == point.ms for point in each.points) and each.points[-1].binary == ()
        ms, harm = [point.ms for point in each.points], [point.harm for point in each.points]
        assert ms == sorted(ms) and harm == sorted(harm, reverse=True) and len(set(harm)) == len(harm)


def test_within_less_than_the_fastest_time_there_is_nothing(tmp_path: Path) -> None:
    device, job = Device(), small_job(tmp_path, precisions="1,8,32")
    scores = dict.fromkeys(job.options, 1.0)
    networks = made_up_cost(job, device).networks
    (front,) = fronts_by_precision(scores, networks, [("int8", "float")], None)
    fastest = min(time.ms for time in networks if set(map(precision_of, time.binary)) == {"int8"})
    assert front.best_within(fastest - 1e-6) is None and front.best_within(fastest).binary == front.points[0].binary
    assert front.best_within(math.inf).binary == ()
    (observed,) = fronts_by_precision(scores, networks, [("int8", "float")], 0.5)
    assert all(math.isnan(point.low_ms) for point in observed.points)
