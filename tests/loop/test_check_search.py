"""What is refused before a search begins."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.loop.check_search import (
    check_device,
    check_front,
    check_head,
    imported_plan_for,
    reasons_of,
    settings_for_plan,
)
from b2nn_tvm.loop.settings import DeploymentSettings, SearchSettings, SelectionSettings, TrainingSettings
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.targets.target import get, names
from tests.support.mixbin import noise

ONES = ConversionOptions(pad_value=1)


def plan(precision: Precision = Precision.BINARY) -> Plan:
    rows = list(trace(noise.network(), (1, 8, 8)))
    layers = {row.name: precision if row.name in noise.LAYERS else Precision.FLOAT for row in rows}
    return Plan(layers, {row.name: row.workload.key for row in rows}, conversion=asdict(ONES))


def test_the_plans_conversion_holds_unless_another_one_is_given() -> None:
    assert settings_for_plan(SearchSettings(), plan()).conversion == ONES
    mine = ConversionOptions(learned_threshold=True)
    assert settings_for_plan(SearchSettings(conversion=mine), plan()).conversion == mine
    with pytest.raises(InputError, match="and so does a progressive order"):
        settings_for_plan(SearchSettings.from_keywords(progressive="rear"), plan())


def test_a_plan_is_made_to_fit_or_refused() -> None:
    layers = trace(noise.network(), (1, 8, 8))
    assert imported_plan_for(plan(), layers, "mine").binary == noise.LAYERS
    with pytest.raises(InputError, match="whose weights alone are binary"):
        imported_plan_for(plan(Precision.WEIGHT_BINARY), layers, "mine")
    assert reasons_of(layers).count(": ") >= len(layers)


@pytest.mark.parametrize("points", [1, -2])
def test_a_front_has_two_points_at_least(points: int) -> None:
    with pytest.raises(InputError, match=f"at least 2 points, but got {points}"):
        check_front(points, SelectionSettings(), None)


def test_a_front_needs_scores() -> None:
    check_front(3, SelectionSettings(), None)
    check_front(0, SelectionSettings(progressive="rear"), plan())
    for selection, given in ((SelectionSettings(progressive="rear"), None), (SelectionSettings(), plan())):
        with pytest.raises(InputError, match="a front is of choices by scores"):
            check_front(3, selection, given)


def test_a_new_head_is_trained() -> None:
    check_head(TrainingSettings(float_epochs=1), ignore_head=True)
    check_head(TrainingSettings(), ignore_head=False)
    with pytest.raises(InputError, match="a head that starts anew needs training"):
        check_head(TrainingSettings(), ignore_head=True)


def test_this_machine_cannot_time_code_of_another_one() -> None:
    check_device(DeploymentSettings())
    other = next(name for name in names() if not get(name).runs_here)
    with pytest.raises(DeviceError, match=f"cannot run code for target {other}"):
        check_device(DeploymentSettings(target=other))
