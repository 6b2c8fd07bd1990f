"""A limit is kept by the whole interval of an undisturbed time, or by an observed quantile."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from b2nn_tvm.costs.table import CostRow
from b2nn_tvm.loop.measuring.network_time import NetworkTime

ROW = CostRow("conv1", "", "float", 0.5, 9, 0.1, "native", "A CPU", 1)
TIME = NetworkTime(("a",), 2.0, 0.1, 60, 1000, "A CPU", "avx2", (ROW,), 1.9, 2.1, 2.2, 2.6, 4.0, bursts=9, quiet=7)


@pytest.mark.parametrize(
    ("quantile", "ms", "upper"), [(None, 2.0, 2.1), (0.5, 2.2, 2.2), (0.9, 2.6, 2.6), (0.99, 4.0, 4.0)]
)
def test_each_budget_is_about_its_own_time(quantile: float | None, ms: float, upper: float) -> None:
    assert TIME.at(quantile) == TIME.network(quantile).ms == ms and TIME.network(quantile).binary == ("a",)
    assert TIME.upper_ms(quantile) == upper
    assert TIME.keeps(upper, quantile) and not TIME.keeps(upper - 1e-9, quantile)


def test_the_float_network_is_what_relative_limits_are_shares_of() -> None:
    assert replace(TIME, binary=()).keeps(2.0) and not replace(TIME, binary=()).keeps(1.99)


def test_a_time_without_an_interval_counts_alone() -> None:
    assert NetworkTime(("a",), 2.0, 0.1, 60, 1000, "A CPU", "avx2", ()).keeps(2.0)


def test_it_survives_json() -> None:
    assert NetworkTime.from_json(json.loads(json.dumps(asdict(TIME)))) == TIME
