"""The tasks of the comparison of selections, on a network that was never trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from b2nn_tvm.costs.counted import flops_cost
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.selection.select import runners_up
from b2nn_tvm.progress import silent
from b2nn_tvm.study.selections.tasks import PairScoring, RunnersUp
from b2nn_tvm.study.tasks import Net, Scoring, Source
from tests.support.study.few_digits import NAME

NET = Net("vgg_small", 2, "binrelu")


@pytest.fixture
def work(tmp_path: Path) -> dict[str, Any]:
    source = Source(NAME, images=16, validation=16)
    torch.save(NET.build(source.load()).state_dict(), tmp_path / "weights.pt")
    known = {"net": NET, "source": source, "seed": 0, "calibration": 8, "recipe": "quick"}
    known["training_precision"] = "auto"
    return {**known, "folder": tmp_path, "weights": tmp_path / "weights.pt"}


@pytest.mark.sweep
def test_pairs_come_with_the_scores_of_mixbin_loss(work: dict[str, Any]) -> None:
    found = PairScoring(**work).run(silent)
    (scores,) = Scoring(**work, method="mixbin-loss", limits=(0,)).run(silent)["scores"]
    assert found["scores"] == scores and len(scores) > 2
    assert len(found["terms"]) == len(scores) * (len(scores) - 1) // 2
    assert {name for one, two, _ in found["terms"] for name in (one, two)} == set(scores)


def test_the_most_accurate_runner_up_is_taken(work: dict[str, Any]) -> None:
    bundle = work["source"].load()
    model = NET.build(bundle)
    layers = trace(model, bundle.input_shape)
    cost = flops_cost(tuple(layers), total=flops(model, bundle.input_shape))
    best = runners_up(dict.fromkeys(layers.eligible, 0.1), cost, cost.full, count=2)
    found = RunnersUp(**work, selections=best, epochs=1).run(silent)
    assert tuple(found["binary"]) in {each.binary for each in best}
    assert not (work["folder"] / "checkpoints").exists()
