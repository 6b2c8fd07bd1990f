"""What the tasks of a study are about: its data, its networks, its budgets; test_grid.py runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.study.tasks import Net, Scoring, Source
from tests.support.study.few_digits import NAME

SOURCE = Source(NAME, images=20, validation=0)
NET = Net("cresnet20", 4, "rprelu")


def test_a_source_has_so_many_images_of_training_and_validation() -> None:
    bundle = SOURCE.load()
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [20, 48, 64]
    assert SOURCE.load() is bundle  # a process loads it once
    assert len(Source(NAME, images=0, validation=10).load().val) == 10


def test_a_network_fits_the_data_and_is_drawn_by_its_seed() -> None:
    bundle = SOURCE.load()
    first, again, other = (NET.build(bundle, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    assert first(torch.zeros(1, *bundle.input_shape)).shape == (1, bundle.classes) and not first.training
    assert NET.conversion == ConversionOptions(activation="rprelu")


def test_the_weights_of_a_file_are_loaded(tmp_path: Path) -> None:
    bundle = SOURCE.load()
    saved = NET.build(bundle, seed=1)
    torch.save(saved.state_dict(), tmp_path / "weights.pt")
    loaded = NET.load(bundle, tmp_path / "weights.pt")
    assert all(torch.equal(value, saved.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize(("method", "asked"), [("pseudo-random", (600, 400)), ("greedy-trained", (400,))])
def test_a_greedy_choice_serves_all_larger_budgets(tmp_path: Path, method: str, asked: tuple[int, ...]) -> None:
    work = {"net": NET, "source": SOURCE, "seed": 0, "calibration": 8, "recipe": "quick", "folder": tmp_path}
    work["training_precision"] = "auto"
    scoring = Scoring(**work, weights=tmp_path / "weights.pt", method=method, limits=(600, 400))
    assert scoring._asked() == asked


def test_scores_come_in_the_order_of_the_limits(tmp_path: Path) -> None:
    bundle = SOURCE.load()
    torch.save(NET.build(bundle).state_dict(), tmp_path / "weights.pt")
    work = {"net": NET, "source": SOURCE, "seed": 0, "calibration": 8, "recipe": "quick", "folder": tmp_path}
    work["training_precision"] = "auto"
    scoring = Scoring(**work, weights=tmp_path / "weights.pt", method="front", limits=(10**9, 10**8))
    one, two = scoring.run(lambda *_: None)["scores"]
    assert one == two and sorted(one.values()) == [float(place) for place in range(18)]
    assert (tmp_path / f"{10**8}.json").is_file() and not (tmp_path / f"{10**9}.json").exists()
