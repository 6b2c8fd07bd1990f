"""The accuracy of a front within some milliseconds, on made-up rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.study.fronts.within import accuracy_within, mean_ms, within_by_seed
from tests.support.study.rows import timed

FRONT = timed("float", {"100": (2.0, [0.8, 0.9]), "50": (1.0, [0.6, 0.5])})


def test_between_two_networks_it_lies_on_their_line_and_above_the_slowest_it_stays() -> None:
    first = [row for row in FRONT if row.seed == 0]
    assert [accuracy_within(first, ms) for ms in (1.0, 1.5, 2.0, 9.0)] == pytest.approx([60, 70, 80, 80])
    assert accuracy_within(first, 0.99) is None
    assert accuracy_within([replace(row, ms=None) for row in first], 1.0) is None


def test_each_seed_has_its_own_front() -> None:
    assert within_by_seed(FRONT, 1.5) == pytest.approx({0: 70.0, 1: 70.0})
    assert within_by_seed(FRONT, 0.5) == {}
    assert mean_ms(FRONT) == 1.5 and mean_ms([]) is None
