"""Random choices cost what the chosen one costs, and intervals are Student's."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.loop import compare_random as comparison
from b2nn_tvm.loop.compare_random import TOLERANCE, interval, random_choices
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.progress import silent

NAMES = tuple(f"layer{index}" for index in range(16))
COST = AdditiveCost(
    "ms", 1.0, {name: 0.5 + 0.01 * index for index, name in enumerate(NAMES)}, dict.fromkeys(NAMES, 0.05)
)


def test_interval_of_known_numbers() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0 and found.count == 5
    assert found.half_width == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)  # t(0.975, 4)


def test_a_single_value_has_no_interval() -> None:
    assert interval([0.9]).half_width == math.inf


def draw(monkeypatch: pytest.MonkeyPatch, cost: AdditiveCost, chosen: tuple, count: int, *, off: float = 0.0):
    """The draws on a device that takes what the cost model says, and up to ``off`` more."""

    def measure(binary):
        asked.append(binary)
        ms = float(cost.total(binary)) * (1 + off * (len(asked) % 2))
        return NetworkTime(binary, ms, 0.01, 9, 1000, "made up", "none", ())

    asked: list = []
    monkeypatch.setattr(comparison, "measure_networks", lambda _job, choices: list(map(measure, choices)))
    job = SimpleNamespace(settings=SearchSettings.from_keywords(seed=3), progress=silent)
    return random_choices(job, cost, chosen, float(cost.total(chosen)), count), asked


def test_choices_cost_alike_and_are_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = NAMES[:8]
    drawn, asked = draw(monkeypatch, COST, chosen, 5)
    assert len({one.binary for one in drawn} | {chosen}) == 6
    assert all(abs(one.time.ms / float(COST.total(chosen)) - 1) <= TOLERANCE for one in drawn)
    assert drawn == draw(monkeypatch, COST, chosen, 5)[0]
    assert [one.seed for one in drawn] == sorted(one.seed for one in drawn) and drawn[0].seed >= 3
    assert len(asked) == 5


def test_choices_that_the_device_finds_dearer_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, asked = draw(monkeypatch, COST, NAMES[:8], 5, off=0.2)
    assert all(abs(one.time.ms / float(COST.total(NAMES[:8])) - 1) <= TOLERANCE for one in drawn)
    assert len(drawn) == 5 < len(asked) <= 15


def test_where_too_few_are_close_the_closest_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = AdditiveCost("ms", 0.0, {"a": 1.0, "b": 2.0, "c": 4.0}, {"a": 0.1, "b": 0.1, "c": 0.1})
    drawn, _ = draw(monkeypatch, cost, ("c",), 2)
    assert 1 <= len(drawn) <= 2 and all(one.binary != ("c",) for one in drawn)
