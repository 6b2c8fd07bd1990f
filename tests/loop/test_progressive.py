"""Layer by layer to a budget that a made-up device measures: real networks become binary, and go on from where they
were.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from b2nn_tvm.costs.budget import Budget, parse_budget
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.loop import budget_goal as goals
from b2nn_tvm.loop import progressive as progressions
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import refit
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.progressive import binarize_until_within_budget, check_progression
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.models.bireal import BiRealNet
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from tests.support.loop.small_job import NAMES, Device


def settings(**changes) -> SearchSettings:
    given = {"epochs": 0, "masks": 0, "epochs_per_layer": 0, "progressive": "rear"}
    return SearchSettings.from_keywords(**(given | changes))


def make_job(folder: Path, **changes) -> Job:
    torch.manual_seed(0)
    split = lambda count: TensorImages(torch.randn(count, 1, 8, 8), torch.randint(0, 3, (count,)))
    bundle = DataBundle("noise", split(48), split(32), split(8), ("a", "b", "c"), (1, 8, 8), (0,), (1,))
    model = BiRealNet(
        classes=3, channels=1, image_size=8, stem="cifar", widths=(4, 8), blocks=1, activation="binrelu"
    ).eval()
    return Job("net", model, trace(model, (1, 8, 8)), bundle, settings(**changes), State(folder), silent)


def run(job: Job, device: Device, limit: float, monkeypatch: pytest.MonkeyPatch, scores=None):
    monkeypatch.setattr(progressions, "measure_networks", device.measure_networks)
    times = refit(job, [device(job, ()), device(job, NAMES)])
    return binarize_until_within_budget(job, BudgetGoal(f"{limit}ms", "ms", limit, None), scores or {}, times, limit)


ORDER = (2, 0, 1, 3)
SCORES = {NAMES[index]: float(place) for place, index in enumerate(ORDER)}


@pytest.mark.parametrize(
    ("order", "layers", "factor"),
    [
        ("front", NAMES, 1.0),
        ("rear", NAMES[::-1], 1.3),
        ("scores", tuple(SCORES), 1.3),
        pytest.param("scores", tuple(SCORES), 1.0, marks=pytest.mark.sweep),
    ],
)
def test_as_few_layers_as_keep_the_measured_time(
    tmp_path: Path, monkeypatch, factor: float, order: str, layers: tuple
) -> None:
    """3 ms: two layers by the sum of layers, three on a device that is slower than it."""
    job, device = make_job(tmp_path, progressive=order), Device(factor)
    grown = run(job, device, 3.0, monkeypatch, SCORES)
    count = len(grown.binary)
    assert count == (2 if factor == 1 else 3)
    assert grown.progressed.layers == layers[:count] and set(grown.binary) == set(layers[:count])
    assert [attempt.measured_ms <= 3.0 for attempt in grown.attempts] == [False] * (count - 2) + [True]
    assert len(device.asked) == len(set(device.asked))
    binary = {name for name, module in grown.progressed.model.named_modules() if isinstance(module, BinaryConv2d)}
    assert binary == set(grown.binary)


def test_a_lower_budget_goes_on_from_the_layers_of_the_one_before(tmp_path: Path, monkeypatch) -> None:
    job = make_job(tmp_path, epochs_per_layer=1)
    first = run(job, Device(), 3.5, monkeypatch)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("phase.json")}
    assert len(first.binary) == len(stamps) == 2
    second = run(make_job(tmp_path, epochs_per_layer=1, floor=0.0), Device(), 2.0, monkeypatch)
    assert second.progressed.steps[:2] == first.progressed.steps and len(second.progressed.steps) == 3
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    other = make_job(tmp_path, epochs_per_layer=1, conversion=ConversionOptions(learned_threshold=True))
    assert "stage2.0.conv2.threshold" in run(other, Device(), 3.5, monkeypatch).progressed.model.state_dict()
    assert all(path.stat().st_mtime_ns != stamp for path, stamp in stamps.items())


def test_a_floor_that_comes_before_the_budget_is_an_error_that_says_how_far_it_came(
    tmp_path: Path, monkeypatch
) -> None:
    with pytest.raises(BudgetError, match=r"with 0 binary layers .* 4.5 ms.*floor of 1"):
        run(make_job(tmp_path, floor=1.0), Device(), 3.0, monkeypatch)


def test_all_layers_that_are_not_enough_are_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(progressions, "measure_networks", (slow := Device()).measure_networks)
    job = make_job(tmp_path)
    times = refit(job, [slow(job, ()), slow(job, NAMES)])
    time = lambda choice: NetworkTime(choice, 2.0, 0.01, 9, 1000, "made up", "none", ())
    monkeypatch.setattr(progressions, "measure_networks", lambda _job, choices: list(map(time, choices)))
    with pytest.raises(BudgetError, match="all layers binary, .* 2 ms"):
        binarize_until_within_budget(job, BudgetGoal("1ms", "ms", 1.0, None), {}, times, 1.0)


def test_layer_wise_priority_saves_bytes(tmp_path: Path) -> None:
    job, budget = make_job(tmp_path, progressive="layer-wise-priority"), parse_budget("40%bytes")
    check_progression(job.settings.selection, (budget,), compare=0)
    goal, times = goals.exact_goal(job, budget), refit(job, [Device()(job, ()), Device()(job, NAMES)])
    grown = binarize_until_within_budget(job, goal, {}, times, goal.limit)
    assert grown.predicted <= goal.limit and grown.binary == NAMES[-len(grown.binary) :]
    assert {grown.progressed.plan.layers[name] for name in grown.binary} == {Precision.WEIGHT_BINARY}
    for others, compare, message in (((), 0, "bytes"), ((Budget(1, "ms"),), 0, "bytes"), ((budget,), 2, "random")):
        with pytest.raises(InputError, match=message):
            check_progression(job.settings.selection, others, compare=compare)


def test_a_progression_keeps_one_budget() -> None:
    budgets = (parse_budget("2ms"), parse_budget("40%bytes"))
    with pytest.raises(InputError, match="goes on until one budget is kept: give one, not 2"):
        check_progression(settings().selection, budgets, compare=0)
    check_progression(settings(progressive=None, epochs_per_layer=None).selection, budgets, compare=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"progressive": "sideways"}, "sideways.*front, rear, greedy, scores, layer-wise-priority"),
        ({"epochs_per_layer": -1}, "at least 0, not -1"),
        ({"floor": 1.5}, "from 0 to 1, not 1.5"),
        ({"rule": "nearest"}, "no other rule"),
        ({"solver": "exact"}, "no solver"),
        ({"progressive": None}, "progressive order: choose one"),
    ],
)
def test_what_a_progression_cannot_be(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changes)


def test_how_layers_are_chosen_in_words() -> None:
    assert settings(progressive=None, epochs_per_layer=None).selection.label == "mixbin-loss"
    assert settings().selection.label == "progressive rear" and not settings().selection.needs_scores
    assert settings(progressive="scores").selection.label == "progressive scores, mixbin-loss"
