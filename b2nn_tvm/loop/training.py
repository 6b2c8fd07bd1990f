"""Train the float parent and fine-tune converted networks: each in a process of its own, several side by side."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.worker_pool import CombinedProgress, WorkerPool
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.finetune import FIRST_STAGE
from b2nn_tvm.mixbin.training.recipe import Report
from b2nn_tvm.mixbin.training.train import evaluate, finetune, train
from b2nn_tvm.storage.document import write_atomic


@dataclass(frozen=True)
class Task:
    """One training: ``teacher`` is None for a float network trained from its labels, else the network to distil
    from.
    """

    model: torch.nn.Module
    teacher: torch.nn.Module | None
    data: DataBundle
    epochs: int
    seed: int
    threads: int
    folder: Path
    first_stage: float = FIRST_STAGE

    def run(self, report: Report) -> dict[str, float]:
        """Train and write ``weights.pt``; the accuracies in [0, 1]."""
        return run_task(self, report)


@dataclass(frozen=True)
class Trained:
    """A trained network and its share of right answers on the validation and the test set."""

    model: torch.nn.Module
    validation_accuracy: float
    accuracy: float


def train_parent(job: Job) -> Trained:
    """The float network trained for ``float_epochs`` (as it is, where that is 0), in place of ``job.model``."""
    return _train_each(job, {"parent": Wanted(job.model, None, job.settings.float_epochs)}, "train the float network")[
        "parent"
    ]


def finetune_each(
    job: Job, choices: Mapping[str, tuple[str, ...]], *, phase: str, effort: int = 0
) -> dict[str, Trained]:
    """Convert the parent to each choice of binary layers and fine-tune it by distillation from the parent, all with
    equal effort.

    ``effort`` epochs come on top of the search's own: those that what it is compared with had before.
    """
    convert = job.settings.conversion.convert
    wanted = {
        name: Wanted(convert(job.model, binary), job.model, job.settings.epochs + effort)
        for name, binary in choices.items()
    }
    return _train_each(job, wanted, phase)


def finetune_on(job: Job, name: str, network: torch.nn.Module, *, phase: str) -> Trained:
    """Fine-tune a network whose binary weights are trained already, by distillation from the parent, in one stage."""
    return _train_each(job, {name: Wanted(network, job.model, job.settings.epochs, first_stage=0.0)}, phase)[name]


def run_task(task: Task, report: Report) -> dict[str, float]:
    """Train as the task says and write ``weights.pt`` into its folder; the accuracies in [0, 1]."""
    settings = {
        "epochs": task.epochs,
        "seed": task.seed,
        "threads": task.threads,
        "workdir": task.folder / "checkpoints",
        "progress": report,
    }
    if task.teacher is None:
        train(task.model, task.data, **settings)
    else:
        finetune(task.model, task.teacher, task.data, first_stage=task.first_stage, **settings)
    buffer = io.BytesIO()
    torch.save(task.model.state_dict(), buffer)
    write_atomic(task.folder / "weights.pt", buffer.getvalue())
    shutil.rmtree(task.folder / "checkpoints", ignore_errors=True)
    return {
        "validation_accuracy": evaluate(task.model, task.data.val_loader()),
        "accuracy": evaluate(task.model, task.data.test_loader()),
    }


@dataclass(frozen=True)
class Wanted:
    """What a phase asks of one training; the fields are Task's."""

    model: torch.nn.Module
    teacher: torch.nn.Module | None
    epochs: int
    first_stage: float = FIRST_STAGE


def _train_each(job: Job, wanted: Mapping[str, Wanted], phase: str) -> dict[str, Trained]:
    cores = os.cpu_count() or 1
    parallel = min(cores, len(wanted))
    joint = CombinedProgress(dict.fromkeys(wanted, 1.0), lambda share: job.progress(phase, round(100 * share), 100))

    def one(name: str) -> Trained:
        want, seed = wanted[name], job.settings.seed
        inputs = {
            "start": model_digest(want.model),
            "teacher": model_digest(want.teacher) if want.teacher else "",
            "data": job.data.digest,
            "epochs": want.epochs,
            "first_stage": want.first_stage,
            "conversion": asdict(job.settings.conversion) if want.teacher else None,
            "seed": seed,
        }

        def compute(folder: Path) -> dict[str, float]:
            task = Task(want.model, want.teacher, job.data, want.epochs, seed, pool.threads, folder, want.first_stage)
            report = lambda done, total: joint.update(name, done / max(1, total))
            on_epoch = lambda loss, accuracy: job.tell(phase, f"{name}: loss {loss:.3f}, accuracy {accuracy:.1%}")
            return pool.run(name, task, report, on_epoch) if want.epochs else task.run(report)

        result = job.state.run(f"training/{name}", inputs, compute)
        joint.update(name, 1.0)
        want.model.load_state_dict(torch.load(job.state.files(f"training/{name}") / "weights.pt", weights_only=True))
        return Trained(want.model.eval(), **result)

    with WorkerPool(parallel, threads=max(1, cores // parallel)) as pool:
        return pool.map(wanted, one)
