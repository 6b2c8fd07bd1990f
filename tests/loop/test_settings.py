"""The settings of a search: groups with the fields that search takes as keywords, checked where they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import get_type_hints

import pytest

import b2nn_tvm
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.settings import (
    KEYWORDS,
    DeploymentSettings,
    SearchKeywords,
    SearchSettings,
    SelectionSettings,
    TrainingSettings,
)
from b2nn_tvm.mixbin.conversion.options import ConversionOptions


def test_every_keyword_lands_in_its_group() -> None:
    given = {
        "method": "front",
        "rule": "nearest",
        "solver": "sort",
        "masks": 3,
        "margin": 0.1,
        "progressive": None,
        "epochs_per_layer": None,
        "floor": None,
        "precisions": ("binary", "float"),
        "epochs": 5,
        "float_epochs": 6,
        "seed": 7,
        "batch_size": 32,
        "lr": 0.01,
        "recipe": "standard",
        "target": "arm",
        "device": "ssh://board",
        "threads": 2,
        "also": ["x86"],
        "precision": 0.05,
        "costs": "mine.json",
        "input_format": "uint8-nhwc",
        "conversion": ConversionOptions(pad_value=1),
    }
    assert set(given) == KEYWORDS == set(get_type_hints(SearchKeywords))
    assert SearchSettings.from_keywords(**given) == SearchSettings(
        selection=SelectionSettings(method="front", rule="nearest", masks=3, margin=0.1),
        training=TrainingSettings(epochs=5, float_epochs=6, seed=7, batch_size=32, lr=0.01, recipe="standard"),
        deployment=DeploymentSettings(
            target="arm",
            device="ssh://board",
            threads=2,
            also=("x86",),
            precision=0.05,
            costs="mine.json",
            input_format="uint8-nhwc",
        ),
        conversion=ConversionOptions(pad_value=1),
    )


def test_nothing_given_is_the_defaults() -> None:
    settings = SearchSettings.from_keywords()
    assert settings == SearchSettings()
    assert (settings.selection.method, settings.training.epochs, settings.deployment.device) == (
        "mixbin-loss",
        8,
        "local",
    )
    assert SearchSettings.from_keywords(settings) is settings


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"method": "magic"}, "unknown method 'magic'; choose one of mixbin-loss, .*random"),
        ({"rule": "loose"}, "unknown rule 'loose'; choose one of strict, nearest, at_least"),
        ({"solver": "oracle"}, "unknown solver 'oracle'; choose one of exact, sort"),
        ({"masks": -1}, "masks: expected at least 0, but got -1"),
        ({"margin": 1.0}, "margin: expected a share of the budget from 0 to below 1, but got 1.0"),
        ({"floor": 0.9}, "progressive order: choose one"),
        ({"epochs": -1}, "epochs: expected at least 0, but got -1"),
        ({"float_epochs": -2}, "float_epochs: expected at least 0, but got -2"),
        ({"batch_size": 0}, "batch_size: expected at least 1, but got 0"),
        ({"recipe": "slow"}, "unknown recipe 'slow'; choose one of quick, standard, long"),
        ({"lr": 0.0}, "lr: expected a learning rate above zero, but got 0.0"),
        ({"lr": float("nan")}, "lr: expected a learning rate above zero"),
        ({"seed": -3}, "seed: expected at least 0, but got -3"),
        ({"threads": 0}, "threads: expected at least 1, but got 0"),
        ({"precision": 0.0}, "precision: expected a share from 0.1% to 50%, but got 0"),
        ({"input_format": "uint8"}, "unknown input format 'uint8'; choose one of float32-nchw, uint8-nhwc"),
        ({"also": "arm"}, r"also: expected a list of targets, but got the word 'arm': write \['arm'\]"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_out_of_range_is_refused(keywords: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SearchSettings.from_keywords(**keywords)


def test_float_epochs_that_are_not_given_depend_on_the_network() -> None:
    assert TrainingSettings().float_epochs is None
    assert [TrainingSettings().decided(trained=trained).float_epochs for trained in (True, False)] == [0, 12]
    assert TrainingSettings(recipe="standard").decided(trained=False).float_epochs == 60
    for epochs in (0, 3):
        given = TrainingSettings(float_epochs=epochs)
        assert given.decided(trained=True) == given.decided(trained=False) == given


def test_the_recipe_has_the_epochs_that_are_not_given() -> None:
    assert [TrainingSettings(recipe=name).epochs for name in ("quick", "standard", "long")] == [8, 30, 120]
    assert TrainingSettings(recipe="long", epochs=0).epochs == 0


def test_a_setting_cannot_be_given_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epochs, seed: expected either settings, .* dataclasses.replace"):
        SearchSettings.from_keywords(SearchSettings(), epochs=1, seed=2)
    with pytest.raises(InputError, match="method: expected either settings"):
        b2nn_tvm.search("cresnet20", data="digits", output=tmp_path, settings=SearchSettings(), method="front")
    assert list(tmp_path.iterdir()) == []


def test_a_keyword_that_is_none_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="no keyword epoch; the settings are also, batch_size, conversion, costs, device, epochs"
    ):
        b2nn_tvm.search("cresnet20", data="digits", output=tmp_path, epoch=1)


def test_bars_are_not_drawn_for_true(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="progress: expected a function"):
        b2nn_tvm.search("cresnet20", data="digits", output=tmp_path, progress=True)


def test_settings_are_frozen_and_say_themselves() -> None:
    settings = SearchSettings.from_keywords(progressive="rear", floor=0.5, also=["arm"], threads=2)
    with pytest.raises(FrozenInstanceError):
        settings.training.epochs = 3
    assert str(settings).splitlines() == [
        "selection: progressive rear, 1 epoch per layer, floor 0.5, 6 masks",
        "training: undecided float epochs, 8 of fine-tuning, seed 0",
        "deployment: native on local, 2 threads, also for arm",
        "conversion: xnor weights, binrelu in front, borders of 0, no thresholds",
    ]
    training = TrainingSettings(batch_size=8, lr=0.1).decided(trained=False)
    assert str(training) == "12 float epochs, 8 of fine-tuning, batches of 8, learning rate 0.1, seed 0"
    assert str(DeploymentSettings(input_format="uint8-nhwc")) == "native on local, 1 thread, input uint8-nhwc"
    assert str(SelectionSettings()) == "mixbin-loss, rule strict, solver exact, 6 masks, margin 0.02"


@pytest.mark.parametrize(
    ("given", "solver"),
    [
        ({}, "exact"),
        ({"method": "hawq-v2"}, "exact"),
        ({"solver": "sort"}, "sort"),
        ({"rule": "nearest"}, "sort"),
        ({"method": "random"}, "sort"),
        ({"method": "mixbin-loss-printed-order"}, "sort"),
        ({"progressive": "rear"}, "sort"),
    ],
)
def test_the_exact_solver_is_the_default_where_scores_are_harms(given: dict, solver: str) -> None:
    assert SelectionSettings(**given).solver == solver


def test_an_order_has_no_exact_optimum() -> None:
    with pytest.raises(InputError, match="scores of front are an order of layers, .*: use solver 'sort'"):
        SelectionSettings(method="front", solver="exact")


def test_all_targets_are_named_once_and_the_measured_one_first() -> None:
    assert DeploymentSettings(target="x86", also=("arm", "x86", "arm")).targets == ("x86", "arm")


def test_more_precisions_need_scores_of_all_of_them_and_an_exact_choice() -> None:
    assert SelectionSettings().precisions == ("binary", "float")
    found = SearchSettings.from_keywords(precisions="1,2,8,32", method="hawq-v2").selection
    assert found.precisions == ("binary", "w1a2", "w2a2", "int8", "float")
    assert "precisions binary, w1a2, w2a2, int8, float" in str(found)
    assert SearchSettings.from_keywords(precisions=["8", "float"]).selection.precisions == ("int8", "float")
    for keywords, message in (
        ({"method": "front"}, "method front tells binary from float alone"),
        ({"solver": "sort"}, "need the solver 'exact'"),
        ({"rule": "nearest"}, "need the solver 'exact'"),
        ({"progressive": "rear"}, "in a progressive order layers become binary"),
    ):
        with pytest.raises(InputError, match=message):
            SelectionSettings(precisions="1,8,32", **keywords)
