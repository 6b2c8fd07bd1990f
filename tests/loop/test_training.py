"""Trainings here and in processes of their own: the same, resumed from disk, and errors arrive."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from b2nn_tvm import data, models
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop import training
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.loop.training import finetune_each, train_parent
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import evaluate, train
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State


@pytest.fixture(scope="module")
def few_digits() -> DataBundle:
    bundle = data.digits()
    first = lambda split, count: TensorImages(split.images[:count], split.labels[:count])
    return replace(bundle, train=first(bundle.train, 128), val=first(bundle.val, 64), test=first(bundle.test, 64))


def make_job(
    bundle: DataBundle, folder: Path, *, float_epochs: int = 1, epochs: int = 1, progress=None, **others
) -> Job:
    torch.manual_seed(0)
    model = models.cresnet20(classes=10, width=4).eval()
    settings = SearchSettings.from_keywords(epochs=epochs, float_epochs=float_epochs, masks=0, **others)
    layers = trace(model, bundle.input_shape)
    return Job("small", model, layers, bundle, settings, State(folder), progress or silent)


def test_a_process_trains_as_this_one_would(
    few_digits: DataBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SHORT", 0)
    job = make_job(few_digits, tmp_path, batch_size=32, lr=0.01)
    here = make_job(few_digits, tmp_path).model
    trained = train_parent(job)
    train(here, few_digits, epochs=1, seed=0, batch=32, lr=0.01, hardware=Hardware(threads=os.cpu_count()))
    assert trained.model is job.model
    assert all(
        torch.allclose(a, b, atol=1e-5)
        for a, b in zip(here.state_dict().values(), job.model.state_dict().values(), strict=True)
    )
    assert trained.accuracy == evaluate(job.model, few_digits.test_loader())
    assert trained.validation_accuracy == evaluate(job.model, few_digits.val_loader())


def test_a_short_training_needs_no_process(
    few_digits: DataBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("b2nn_tvm.loop.workers.worker_pool.subprocess")
    said = Said()
    job = make_job(few_digits, tmp_path, progress=said, batch_size=64)
    trained = train_parent(job)
    assert said.shares[-1] == 100 and any("accuracy" in line for line in said.details)
    assert trained.accuracy == evaluate(job.model, few_digits.test_loader())
    again = make_job(few_digits, tmp_path, batch_size=64)
    train_parent(again)
    assert again.state.reused == ["training/parent"]
    assert training._is_short(again, training.TrainingRequest(again.model, None, 0))
    assert not training._is_short(again, training.TrainingRequest(again.model, None, 10_000))


class Said:
    """All that a search says of its phases."""

    def __init__(self) -> None:
        self.shares: list[int] = []
        self.details: list[str] = []

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        self.shares.append(done)
        if detail:
            self.details.append(detail)


@pytest.mark.sweep
def test_networks_side_by_side_and_again_from_disk(few_digits: DataBundle, tmp_path: Path) -> None:
    said = Said()
    job = make_job(few_digits, tmp_path, progress=said)
    choices = {"first": job.eligible[:2], "last": job.eligible[-2:]}
    trained = finetune_each(job, choices, phase="fine-tune")
    assert set(trained) == set(choices) and said.shares[-1] == 100
    epochs = [line for line in said.details if "accuracy" in line]  # the others are the losses of single steps
    assert sorted(line.partition(":")[0] for line in epochs) == sorted(choices)
    assert all(re.fullmatch(r"\w+: loss \d\.\d{3}, accuracy \d+\.\d%", line) for line in epochs)
    assert all(re.fullmatch(r"\w+: loss \d\.\d{3}", line) for line in said.details if line not in epochs)
    assert not list(tmp_path.rglob("checkpoints")) and not list(tmp_path.rglob("task.pickle"))
    again = make_job(few_digits, tmp_path)
    repeated = finetune_each(again, choices, phase="fine-tune")
    assert sorted(again.state.reused) == ["training/first", "training/last"]
    image = few_digits.test.images[:1]
    assert all(torch.equal(trained[name].model(image), repeated[name].model(image)) for name in choices)


@pytest.mark.sweep  # tests/loop/workers has errors of other work
def test_an_error_of_a_process_arrives_as_what_it_was(few_digits: DataBundle, tmp_path: Path) -> None:
    broken = replace(few_digits, train=TensorImages(few_digits.train.images * float("nan"), few_digits.train.labels))
    with pytest.raises(InputError, match="loss became nan"):
        train_parent(make_job(broken, tmp_path))
