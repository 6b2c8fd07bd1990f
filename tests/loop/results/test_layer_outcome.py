"""Each layer is told with what it takes, and float ones with the true reason."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.costs.table import CostRow
from b2nn_tvm.loop.measuring.measure_costs import refit
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.layer_outcome import layer_outcomes, rest_ms
from b2nn_tvm.plan import Plan, Precision
from tests.support.loop.small_job import NAMES, REST_MS, Device, made_up_cost, small_job

SCORES = dict(zip(NAMES, (0.3, 0.1, 0.4, 0.2), strict=True))


def outcomes(folder: Path, *, slow: str = "", imported: bool = False):
    job = small_job(folder)

    class Machine(Device):
        """Binary is slower in one layer."""

        def __call__(self, job, binary):
            time = super().__call__(job, binary)
            late = lambda row: replace(row, ms=2.0) if row.layer == slow and binary else row
            return replace(time, layers=tuple(map(late, time.layers)))

    measured = made_up_cost(job, Machine())
    plan = Plan({layer.name: Precision.BINARY if layer.name in NAMES[:2] else Precision.FLOAT for layer in job.layers})
    found = layer_outcomes(job, plan, {} if imported else SCORES, measured, imported=imported)
    return {each.name: each for each in found}, rest_ms(tuple(found), measured)


def test_a_layer_has_its_times_bytes_and_harm_by_precision(tmp_path: Path) -> None:
    found, rest = outcomes(tmp_path)
    binary = found[NAMES[0]]
    assert (binary.precision, binary.why, binary.harm) == ("binary", "", 0.3)
    assert binary.ms == {"float": 1.0, "binary": 0.1} and binary.now_ms == 0.1
    assert binary.size_bytes["float"] > binary.size_bytes["binary"] > 0
    assert rest == pytest.approx(0.0)  # conv1 is a layer of its own
    assert found["conv1"].ms == {"float": REST_MS} and found["conv1"].size_bytes.keys() == {"float"}


def test_every_float_layer_says_why(tmp_path: Path) -> None:
    found, _ = outcomes(tmp_path, slow=NAMES[3])
    assert found["conv1"].why.startswith("first convolution: it reads the image")
    assert found["fc"].why == "classifier: its sums are the scores of the classes"
    assert found[NAMES[2]].why == "the budget is kept without it: harm 0.4, saving 0.9 ms"
    assert found[NAMES[3]].why == "binary is no faster on this device: 1 ms float, 2 binary"
    assert all(each.why for each in found.values() if each.precision == "float")


def test_a_layer_that_a_plan_leaves_float_says_so(tmp_path: Path) -> None:
    found, _ = outcomes(tmp_path, imported=True)
    assert found[NAMES[2]].why == "the plan leaves it float" and math.isnan(found[NAMES[2]].harm)
    assert found["conv1"].why.startswith("first convolution")


def test_a_layer_of_several_options_is_told_with_all_of_them(tmp_path: Path) -> None:
    """conv1 may be int8 alone; the harm of a float layer is that of its least harmful option."""
    job = small_job(tmp_path, precisions="1,8,32")
    ms = {"float": 1.0, "int8": 0.3, "binary": 0.1}
    row = lambda name, word: CostRow(name, job.workloads[name], word, ms[word], 9, 0.01, "native", "made up", 1)
    times = []
    for choice in ((), NAMES, tuple(f"{name}@int8" for name in job.choosing)):
        words = dict.fromkeys(job.choosing, "float") | precisions_of(choice)
        rows = tuple(row(name, word) for name, word in words.items())
        times.append(NetworkTime(choice, sum(each.ms for each in rows), 0.01, 9, 1000, "made up", "none", rows))
    plan = Plan(dict.fromkeys(job.choosing, Precision.FLOAT) | {NAMES[0]: Precision.INT8, NAMES[1]: Precision.BINARY})
    scores = dict.fromkeys(NAMES, 0.5) | {f"{name}@int8": 0.125 for name in job.choosing}
    found = {each.name: each for each in layer_outcomes(job, plan, scores, refit(job, times), imported=False)}
    assert (found[NAMES[0]].precision, found[NAMES[0]].harm, found[NAMES[0]].now_ms) == ("int8", 0.125, 0.3)
    assert (found[NAMES[1]].precision, found[NAMES[1]].harm) == ("binary", 0.5)
    assert (
        found[NAMES[2]].ms == ms and found[NAMES[2]].why == "the budget is kept without it: harm 0.125, saving 0.9 ms"
    )
    assert found["conv1"].why == "the budget is kept without it: harm 0.125, saving 0.7 ms"
    assert found["conv1"].size_bytes.keys() == {"float", "int8"}
