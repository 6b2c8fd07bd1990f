"""Train the float parent and fine-tune converted networks: several side by side, each in a process of its own, and a
short training here.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.mixbin.conversion.convert_choice import convert_choice
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.finetune import FIRST_STAGE
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.recipes.presets import preset
from b2nn_tvm.mixbin.training.train import evaluate, finetune, train
from b2nn_tvm.progress import CombinedProgress, Progress, part_of
from b2nn_tvm.storage.document import write_atomic

# Multiply-accumulates of the forward passes of a training that takes hardly longer than a process needs to begin.
SHORT = 10**11


@dataclass(frozen=True)
class TrainingRequest:
    """A network to train: on the labels alone where ``teacher`` is None, else also by distillation from the teacher."""

    model: torch.nn.Module
    teacher: torch.nn.Module | None
    epochs: int
    first_stage: float = FIRST_STAGE


@dataclass(frozen=True)
class TrainingTask:
    """A request with all that a process needs to carry it out; the trained weights go into ``folder``."""

    request: TrainingRequest
    data: DataBundle
    seed: int
    threads: int
    folder: Path
    batch_size: int = 64
    lr: float | None = None
    recipe: str = "quick"

    def run(self, progress: Progress) -> dict[str, float]:
        """Train the network and write ``weights.pt``; returns the accuracies in [0, 1]."""
        return run_task(self, progress)


@dataclass(frozen=True)
class Trained:
    """A trained network and its share of right answers on the validation and the test set."""

    model: torch.nn.Module
    validation_accuracy: float
    accuracy: float


def train_parent(job: Job) -> Trained:
    """Train the float network, ``job.model``, in place for ``float_epochs`` epochs; with 0 epochs it stays as it is."""
    request = TrainingRequest(job.model, None, job.settings.training.float_epochs or 0)
    phase = "train the float network" if request.epochs else "test the float network"
    return _train_each(job, {"parent": request}, phase)["parent"]


def finetune_each(
    job: Job, choices: Mapping[str, tuple[str, ...]], *, phase: str, effort: int = 0
) -> dict[str, Trained]:
    """Convert the parent to each choice of layers and fine-tune it by distillation from the parent, all with equal
    effort.

    ``effort`` epochs come on top of the search's own: as many as the network to compare with was trained for before.
    """
    epochs = job.settings.training.epochs + effort
    images = partial(job.data.calibration, seed=job.settings.training.seed)
    requests = {
        name: TrainingRequest(convert_choice(job.model, choice, job.settings.conversion, images), job.model, epochs)
        for name, choice in choices.items()
    }
    return _train_each(job, requests, phase)


def finetune_on(job: Job, name: str, network: torch.nn.Module, *, phase: str) -> Trained:
    """Fine-tune a network whose binary weights are trained already, by distillation from the parent, in one stage."""
    request = TrainingRequest(network, job.model, job.settings.training.epochs, first_stage=0.0)
    return _train_each(job, {name: request}, phase)[name]


def run_task(task: TrainingTask, progress: Progress) -> dict[str, float]:
    """Train as the task says and write ``weights.pt`` into its folder; returns the accuracies in [0, 1]."""
    request, checkpoints, recipe = task.request, task.folder / "checkpoints", preset(task.recipe)
    rate: dict[str, Any] = {} if task.lr is None else {"lr": task.lr}
    how: dict[str, Any] = {
        "epochs": request.epochs,
        "seed": task.seed,
        "workdir": checkpoints,
        "hardware": Hardware(threads=task.threads),
        "progress": progress,
        "batch": task.batch_size,
    }
    if request.teacher is None:
        train(request.model, task.data, **how, **{**recipe.float_training, **rate})
    else:
        how["first_stage"] = request.first_stage
        finetune(request.model, request.teacher, task.data, **how, **{**recipe.finetuning, **rate})
    buffer = io.BytesIO()
    torch.save(request.model.state_dict(), buffer)
    write_atomic(task.folder / "weights.pt", buffer.getvalue())
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "validation_accuracy": evaluate(request.model, task.data.val_loader()),
        "accuracy": evaluate(request.model, task.data.test_loader()),
    }


def _train_each(job: Job, requests: Mapping[str, TrainingRequest], phase: str) -> dict[str, Trained]:
    settings, cores = job.settings.training, os.cpu_count() or 1
    parallel = min(cores, len(requests))
    progress = CombinedProgress(job.progress, phase, dict.fromkeys(requests, 1.0))
    here = len(requests) == 1 and all(_is_short(job, request) for request in requests.values())

    def one(name: str) -> Trained:
        request, seed = requests[name], settings.seed
        inputs = {
            "start": model_digest(request.model),
            "teacher": model_digest(request.teacher) if request.teacher else "",
            "data": job.data.digest,
            "epochs": request.epochs,
            "first_stage": request.first_stage,
            "conversion": asdict(job.settings.conversion) if request.teacher else None,
            "seed": seed,
            "batch_size": settings.batch_size,
            "lr": settings.lr,
            "recipe": settings.recipe,
        }

        def compute(folder: Path) -> dict[str, float]:
            how = (settings.batch_size, settings.lr, settings.recipe)
            task = TrainingTask(request, job.data, seed, pool.threads, folder, *how)
            if here or not request.epochs:  # a network that is only tested needs no process, either
                return task.run(part_of(progress, name))
            return pool.run(name, task, progress)

        result = job.state.run(f"training/{name}", inputs, compute)
        progress(name, 1, 1)
        request.model.load_state_dict(torch.load(job.state.files(f"training/{name}") / "weights.pt", weights_only=True))
        return Trained(request.model.eval(), **result)

    with WorkerPool(parallel, threads=max(1, cores // parallel)) as pool:
        if here:  # and in this thread, which Ctrl-C reaches
            return {name: one(name) for name in requests}
        return pool.map(requests, one)


def _is_short(job: Job, request: TrainingRequest) -> bool:
    """Whether the training takes about as long as a process needs to begin, or less."""
    images = len(job.data.train) * request.epochs
    return images == 0 or images * flops(job.model, (1, *job.data.input_shape)) < SHORT
