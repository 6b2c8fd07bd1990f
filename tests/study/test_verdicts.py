"""A claim holds, does not hold or stays open by the intervals of its comparisons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.study.hypotheses import Comparison, Hypothesis, Of
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.verdicts import by_seed, judge
from tests.support.study.rows import made_up, timed

A, B, C = (Of("methods", name, "40") for name in ("a", "b", "c"))


def claim(*comparisons: Comparison) -> Hypothesis:
    return Hypothesis(7, "It is so.", StudySettings(), comparisons)


def rows(**accuracies: list[float]) -> list[Row]:
    return [replace(row, hypothesis="7") for row in made_up(accuracies)]


@pytest.mark.parametrize(
    ("first", "above", "verdict"),
    [
        ([0.60, 0.61, 0.62], 0.0, "holds"),
        ([0.40, 0.41, 0.42], 0.0, "does not hold"),
        ([0.40, 0.61, 0.52], 0.0, "is not decided"),
        ([0.495, 0.496, 0.497], -1.0, "holds"),
        ([0.495, 0.496, 0.497], 0.0, "does not hold"),
        ([0.60], 0.0, "is not decided"),
    ],
)
def test_one_comparison(first: list[float], above: float, verdict: str) -> None:
    found = judge(claim(Comparison(A, B, above)), rows(a=first, b=[0.5, 0.5, 0.5]))
    assert found.verdict == verdict and found.sentence.startswith(f"The claim {verdict}: a at 40 % of the FLOPs less b")


def test_all_comparisons_must_hold_and_one_refutes() -> None:
    both = claim(Comparison(A, B), Comparison(B, C))
    higher, middle, lower = [0.70, 0.71, 0.72], [0.5, 0.5, 0.51], [0.30, 0.31, 0.32]
    assert judge(both, rows(a=higher, b=middle, c=lower)).verdict == "holds"
    assert judge(both, rows(a=higher, b=middle, c=higher)).verdict == "does not hold"
    partly = judge(both, rows(a=higher, b=middle))
    assert partly.verdict == "is not decided" and "1 of 2 comparisons are not there yet" in partly.sentence
    assert judge(both, []).sentence == "The claim has not been tested yet."


def test_fronts_are_compared_within_the_milliseconds_of_a_network() -> None:
    fast, slow, limit = (Of("fronts", name, budget) for name, budget in (("fast", ""), ("slow", ""), ("int8", "100")))
    of_fronts = timed("fast", {"0": (1.0, [0.7, 0.71]), "50": (3.0, [0.9, 0.91])})
    of_fronts += timed("slow", {"100": (2.0, [0.5, 0.52]), "75": (1.6, [0.4, 0.42])})
    at = lambda ms: [replace(row, hypothesis="7") for row in (*of_fronts, *timed("int8", {"100": (ms, [0.6, 0.6])}))]
    within = claim(Comparison(fast, slow, at=limit))
    found = judge(within, at(2.0))
    assert found.verdict == "holds" and found.findings[0].interval.mean == pytest.approx(29.5)
    found = judge(within, at(1.5))
    assert found.findings[0].verdict == "cannot be compared" and found.verdict == "has not been tested"
    assert found.findings[0].found == "the front of slow has no network as fast"
    both = claim(Comparison(fast, slow, at=limit), Comparison(fast, limit, at=limit))
    assert judge(both, at(1.5)).verdict == "holds"
    assert judge(within, [replace(row, ms=None) for row in at(2.0)]).verdict == "has not been tested"


def test_only_the_rows_of_the_hypothesis_count_and_draws_are_averaged() -> None:
    more = [replace(row, draw=1, test=row.test + 0.1) for row in rows(a=[0.5, 0.6])]
    other = [replace(row, hypothesis="1") for row in rows(a=[0.0, 0.0])]
    assert by_seed([*rows(a=[0.5, 0.6]), *more], A) == pytest.approx({0: 55.0, 1: 65.0})
    assert judge(claim(Comparison(A, B)), other).verdict == "has not been tested"
