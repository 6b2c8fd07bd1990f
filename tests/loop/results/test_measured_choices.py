"""What was measured becomes the points of one picture, and the front is what no other point beats."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results.measured_choices import MeasuredChoice, measured_choices, undominated
from b2nn_tvm.loop.results.result import SearchResult


def test_both_ends_the_choice_by_flops_and_the_delivered_network_are_points(result: SearchResult) -> None:
    flops = FlopsChoice(("block.conv2",), 2.5e6, 2.2, 0.5, keeps=False)
    point = FrontPoint(("block.conv1",), 0.1, 1.9, 1.88, 1.92)
    found = measured_choices(replace(result, by_flops=flops, front=(point,)))
    by_kind = {each.kind: (each.ms, each.harm) for each in found}
    assert by_kind == {
        "candidate": (1.9, 0.1),
        "front": (1.9, 0.1),
        "float": (3.1, 0),
        "binary": (1.1, 0.6),
        "flops": (2.2, 0.5),
        "mixed": (1.9, 0.1),
    }
    mixed = found[-1]
    assert (mixed.low_ms, mixed.high_ms) == (1.88, 1.92)


def test_a_point_of_several_fronts_is_one_choice(beside: SearchResult) -> None:
    points = sorted((each.ms, each.harm) for each in measured_choices(beside) if each.kind == "front")
    assert [ms for ms, _ in points] == [1.1, 1.6, 1.9, 2.1, 3.1]
    assert [harm for _, harm in points] == pytest.approx([0.6, 0.12, 0.1, 0.03, 0])


def test_observed_times_have_no_interval(result: SearchResult) -> None:
    found = measured_choices(replace(result, quantile=0.5, ends=(replace(result.ends[0], median_ms=3.3),)))
    assert [each.ms for each in found if each.kind == "float"] == [3.3]
    assert all(math.isnan(each.low_ms) for each in found)


def test_without_scores_there_is_no_harm_to_draw(result: SearchResult) -> None:
    (last,) = result.rounds
    assert measured_choices(replace(result, rounds=(replace(last, harm=math.nan),))) == []
    assert measured_choices(replace(result, rounds=())) == []


def test_the_front_is_what_no_other_choice_beats() -> None:
    one = lambda ms, harm: MeasuredChoice("candidate", (), ms, math.nan, math.nan, harm)
    best = [one(1.0, 0.9), one(2.0, 0.4), one(3.0, 0.0)]
    assert undominated([one(2.5, 0.5), *reversed(best), one(2.0, 0.6), one(3.5, 0.0)]) == best
