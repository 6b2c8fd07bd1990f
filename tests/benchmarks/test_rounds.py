"""Engines' processes: what a failure of one becomes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ENGINE = """
import os, sys
def load(*, add, fail=""):
    if fail == "load":
        raise ValueError("no such\\nnetwork")
    if fail == "die":
        sys.exit("the engine's last words")
    print("engines may print")
    calls = []
    def run():
        calls.append(add)
        if fail == "run" and len(calls) > 60:
            os._exit(3)
    import numpy
    return run, lambda: numpy.full(2, add)
"""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from rounds import Workers

    (tmp_path / "example_engine.py").write_text(ENGINE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Workers() as made:
        yield made


def engine(**arguments):
    from rounds import Engine

    return Engine("example_engine", {"add": 1.0, **arguments}, ("numpy",))


def test_each_round_is_a_turn_of_each_engine(workers, tmp_path: Path) -> None:
    import numpy as np

    engines = {"a": engine(), "b": engine(add=2.0)}
    for one_process in (False, True):
        outputs = {key: tmp_path / f"{key}.npy" for key in engines}
        found = workers.interleave(engines, rounds=3, seconds=0, outputs=outputs, one_process=one_process)
        assert {key: len(timing.turns_ms) for key, timing in found.items()} == {"a": 3, "b": 3}
        assert found["a"].versions == {"numpy": np.__version__} and found["a"].min_ms <= found["a"].median_ms
        assert [float(np.load(outputs[key])[0]) for key in "ab"] == [1.0, 2.0]


def test_a_failure_is_a_reason_and_the_others_go_on(workers) -> None:
    from rounds import Timing, Unavailable

    engines = {
        "fine": engine(),
        "refuses": engine(fail="load"),
        "dies": engine(fail="die"),
        "none": Unavailable("not made"),
    }
    engines["dies later"] = engine(fail="run")
    found = workers.interleave(engines, rounds=40, seconds=0)
    assert isinstance(found["fine"], Timing) and list(found) == list(engines)
    assert found["refuses"] == Unavailable("ValueError: no such network")
    assert found["none"] == Unavailable("not made")
    assert found["dies"].reason == "its process ended with status 1: the engine's last words"
    assert found["dies later"].reason == "its process ended with status 3: engines may print"
    again = workers.interleave({"dies": engine()}, rounds=1, seconds=0)
    assert isinstance(again["dies"], Timing), "a process that ended is started again"


def test_an_interpreter_that_is_not_there(workers) -> None:
    from rounds import Engine, Unavailable

    found = workers.interleave({"x": Engine("example_engine", {}, python="/no/such/python")}, rounds=1, seconds=0)
    assert isinstance(found["x"], Unavailable) and "/no/such/python" in found["x"].reason
    assert sys.executable not in found["x"].reason
