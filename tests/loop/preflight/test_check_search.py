"""What is refused before a search begins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from b2nn_tvm import data
from b2nn_tvm.costs.precisions import BINARY_OR_FLOAT
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.loop.preflight.check_search import (
    check_device,
    check_front,
    check_head,
    check_more_precisions,
    check_pixels,
    check_scheduler,
    choose_output,
    hint_at_merging,
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
    assert imported_plan_for(plan(), layers, "mine", BINARY_OR_FLOAT).binary == noise.LAYERS
    with pytest.raises(InputError, match="whose weights alone are binary"):
        imported_plan_for(plan(Precision.WEIGHT_BINARY), layers, "mine", BINARY_OR_FLOAT)
    int8 = imported_plan_for(plan(Precision.INT8), layers, "mine", ("int8", "float"))
    assert int8.chosen == noise.LAYERS and not int8.binary
    with pytest.raises(InputError, match="the plan has layers of int8: name them among the precisions"):
        imported_plan_for(plan(Precision.INT8), layers, "mine", BINARY_OR_FLOAT)
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
        check_head(TrainingSettings(float_epochs=0), ignore_head=True)


def test_pixels_need_data_that_tell_of_them() -> None:
    pixels = DeploymentSettings(input_format="uint8-nhwc")
    check_pixels(pixels, data.shapes(images=(20, 20, 20)))
    check_pixels(DeploymentSettings(), noise.images())
    with pytest.raises(InputError, match="the data noise do not say how a picture becomes an input: give"):
        check_pixels(pixels, noise.images())


def test_this_machine_cannot_time_code_of_another_one() -> None:
    check_device(DeploymentSettings())
    other = next(name for name in names() if not get(name).runs_here)
    with pytest.raises(DeviceError, match=f"cannot run code for target {other}"):
        check_device(DeploymentSettings(target=other))


class Heads(nn.Module):
    """Class scores beside others, in the ways in which networks give them."""

    def __init__(self, kind: str, scores: int = 10) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv2d(3, 4, 3)
        self.fc, self.aux = nn.Linear(4, scores), nn.Linear(4, 12)

    def forward(self, x: torch.Tensor) -> Any:
        pixels = self.conv(x)
        y, z = self.fc(pixels.mean((2, 3))), self.aux(pixels.mean((2, 3)))
        if self.kind == "training":
            return (y, z) if self.training else y
        return {"dict": {"out": y, "aux": z}, "pixels": {"map": pixels, "out": y}, "one": y}[self.kind]


@pytest.mark.parametrize(
    ("kind", "name", "size", "told"),
    [
        ("one", None, 10, ""),
        (
            "dict",
            None,
            10,
            "the network gives out [10], aux [12]: 'out' is used alone; --output-of NAME chooses another",
        ),
        ("pixels", "out", 10, "the network gives map [4x30x30], out [10]: 'out' is used alone"),
        ("dict", "aux", 12, "the network gives 12 scores for the 10 classes of digits: the first are used"),
        ("training", None, 10, "the network gives one tensor [10], and while it is trained 0 [10], 1 [12]"),
    ],
)
def test_one_output_is_chosen_and_said(kind: str, name: str | None, size: int, told: str) -> None:
    network, notes = Heads(kind).eval(), []
    choose_output(network, data.digits(), name, note=notes.append)
    assert any(told in note for note in notes) if told else not notes
    for mode in (True, False):
        assert network.train(mode)(torch.zeros(2, 3, 32, 32)).shape == (2, size)


@pytest.mark.parametrize(
    ("network", "name", "message"),
    [
        (Heads("dict"), "logits", r"the network gives no 'logits'; it gives out \[10\], aux \[12\]"),
        (Heads("one"), "0", r"the network gives no '0'; it gives one tensor \[10\]"),
        (Heads("pixels"), None, r"needs class scores of shape \[N, 10\], but the network gives map \[4x30x30\], out"),
        (nn.Conv2d(3, 10, 3), None, r"the network gives one tensor \[10x30x30\]"),
        (Heads("one", 7), None, "gives 7 scores, but the data digits has 10 classes; build it for 10 classes"),
        (nn.Linear(5, 10), None, r"Linear does not accept an input of shape \(2, 3, 32, 32\)"),
    ],
)
def test_outputs_that_are_no_class_scores(network: nn.Module, name: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_output(network.eval(), data.digits(), name, note=lambda text: None)


def test_layers_of_other_kinds_have_their_reasons_too() -> None:
    layers = trace(nn.Sequential(nn.ConvTranspose2d(3, 4, 2), nn.Conv2d(4, 5, 1)), (3, 8, 8))
    assert reasons_of(layers) == "1: classifier; 0: ConvTranspose2d: only 1-D and 2-D convolutions become binary"


class Merging(nn.Sequential):
    def switch_to_deploy(self) -> None:
        """What networks of this kind have, and nobody here calls."""
        raise AssertionError


def test_methods_that_merge_branches_are_told_and_not_called() -> None:
    notes: list[str] = []
    hint_at_merging(nn.Sequential(Merging(nn.Conv2d(3, 4, 1))), note=notes.append)
    hint_at_merging(nn.Conv2d(3, 4, 1), note=notes.append)
    assert [note.split(":")[0] for note in notes] == ["modules of the network have a method switch_to_deploy"]


@pytest.mark.parametrize("last", [nn.Softmax(1), None])
def test_a_softmax_at_the_end_is_told(last: nn.Module | None) -> None:
    notes: list[str] = []
    network = nn.Sequential(nn.Conv2d(3, 10, 32), nn.Flatten(), *([] if last is None else [last]))
    choose_output(network.eval(), data.digits(), None, note=notes.append)
    assert any("leave the softmax out" in note for note in notes) == (last is not None)


def test_random_choices_are_of_binary_layers() -> None:
    check_more_precisions(SelectionSettings(), compare=3)
    check_more_precisions(SelectionSettings(precisions="1,8,32"), compare=0)
    with pytest.raises(InputError, match="random choices to compare with are of binary layers"):
        check_more_precisions(SelectionSettings(precisions="1,8,32"), compare=3)


def test_a_scheduler_is_for_searches_that_score_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    check_scheduler(None, SelectionSettings(), plan())
    for selection, given in ((SelectionSettings(), plan()), (SelectionSettings(progressive="rear"), None)):
        with pytest.raises(InputError, match="a scheduler is for scoring layers"):
            check_scheduler("tcp://127.0.0.1:9", selection, given)
    pytest.importorskip("distributed", reason="dask.distributed is of the extra cluster")
    monkeypatch.setattr("b2nn_tvm.loop.workers.dask_pool.TIMEOUT_S", 0.2)
    with pytest.raises(InputError, match="no dask scheduler answers at 'tcp://127.0.0.1:9'"):
        check_scheduler("tcp://127.0.0.1:9", SelectionSettings(), None)
