"""The time left is the plan, times how much longer things took than planned."""

from __future__ import annotations

import time

import pytest

from b2nn_tvm.study.clock import Clock


def test_the_plan_is_corrected_by_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    said: list[str] = []
    clock = Clock(2, said.append)
    clock.plan({"a": 100.0, "b": 100.0, "c": 200.0, "kept": 1000.0})
    clock.later = 600.0
    clock.drop("kept")
    assert clock.left() == 500.0  # 1000 planned seconds in two processes
    now[0] = 200.0  # 400 seconds of two processes for what was planned with 100
    clock.done("a")
    assert clock.left() == pytest.approx(4 * 900 / 2)
    assert said == ["1 of 3 known pieces of work are done; about 30 minutes left with 2 processes"]
