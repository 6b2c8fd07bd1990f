"""What a selector is asked: which layers, in which order, and what its answer depends on."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selectors import registry as methods


def test_what_cannot_be_scored_is_refused(small, small_batches):
    with pytest.raises(InputError, match="at least one batch"):
        methods.score("mixbin-loss", small, [])
    with pytest.raises(InputError, match="at least one batch"):
        methods.score("mixbin-loss", small, iter(small_batches))
    with pytest.raises(InputError, match="no layer of this Sequential"):
        methods.score("mixbin-loss", nn.Sequential(nn.Flatten(), nn.Linear(72, 3)), small_batches)


def test_layers_are_put_into_the_order_in_which_they_run(small, small_batches):
    task = ScoringTask.of(small, small_batches, layers=["conv3", "conv1"])
    assert (task.layers, task.in_order) == (("conv3", "conv1"), ("conv1", "conv3"))
    assert ScoringTask.of(small, small_batches).layers == ("conv1", "conv2", "conv3")
    with pytest.raises(InputError, match="has no layer conv9; its layers are stem, conv1, conv2, conv3, fc"):
        _ = ScoringTask.of(small, small_batches, layers=["conv9"]).in_order


def test_conversion_makes_a_copy(small, small_batches):
    task = ScoringTask.of(small, small_batches, conversion=ConversionOptions(pad_value=1))
    converted = task.convert(["conv2"])
    assert isinstance(converted.conv2, BinaryConv2d) and converted.conv2.pad_value == 1
    assert not isinstance(small.conv2, BinaryConv2d) and not isinstance(converted.conv1, BinaryConv2d)


def test_the_digest_is_of_everything_that_a_measurement_depends_on(small, small_batches):
    task = ScoringTask.of(small, small_batches)
    other = copy.deepcopy(small)
    with torch.no_grad():
        other.fc.bias[0] += 1
    digests = [
        task.digest("front"),
        task.digest("rear"),
        task.digest("front", 1),
        replace(task, model=other).digest("front"),
        replace(task, batches=small_batches[:1]).digest("front"),
        replace(task, conversion=ConversionOptions(pad_value=1)).digest("front"),
        replace(task, loss=F.nll_loss).digest("front"),
    ]
    assert len(set(digests)) == len(digests)
    assert replace(task, seed=5, path="elsewhere").digest("front") == digests[0]


def test_notes_stand_beside_the_path_and_belong_to_one_question(small, small_batches, tmp_path):
    task = ScoringTask.of(small, small_batches, path=tmp_path / "scores.json")
    task.notes("one").write({"a": 1})
    assert (tmp_path / "scores.json.notes").exists()
    assert (task.notes("one").read(), task.notes("two").read()) == ({"a": 1}, {})
