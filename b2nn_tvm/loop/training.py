"""Train the float parent and fine-tune converted networks: each in a process of its own, several side by side."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.document import write_atomic
from b2nn_tvm.loop.crew import Crew, Joint, Report
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.convert import convert
from b2nn_tvm.mixbin.fingerprint import model_digest
from b2nn_tvm.mixbin.train import evaluate, finetune, train


@dataclass(frozen=True)
class Task:
    """One training: ``teacher`` is None for a float network trained from its labels, else the network to distil from."""

    model: torch.nn.Module
    teacher: torch.nn.Module | None
    data: DataBundle
    epochs: int
    seed: int
    threads: int
    folder: Path

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
    trained = _train_each(job, {"parent": (job.model, None, job.settings.float_epochs, job.settings.seed)}, "train the float network")
    return trained["parent"]


def finetune_each(job: Job, choices: Mapping[str, tuple[str, ...]], *, phase: str) -> dict[str, Trained]:
    """Convert the parent to each choice of binary layers and fine-tune it by distillation from the parent, all with equal effort."""
    settings = job.settings
    wanted = {name: (convert(job.model, binary), job.model, settings.epochs, settings.seed) for name, binary in choices.items()}
    return _train_each(job, wanted, phase)


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
        finetune(task.model, task.teacher, task.data, **settings)
    buffer = io.BytesIO()
    torch.save(task.model.state_dict(), buffer)
    write_atomic(task.folder / "weights.pt", buffer.getvalue())
    shutil.rmtree(task.folder / "checkpoints", ignore_errors=True)
    return {
        "validation_accuracy": evaluate(task.model, task.data.val_loader()),
        "accuracy": evaluate(task.model, task.data.test_loader()),
    }


def _train_each(job: Job, wanted: Mapping[str, tuple[torch.nn.Module, torch.nn.Module | None, int, int]], phase: str) -> dict[str, Trained]:
    cores = os.cpu_count() or 1
    parallel = min(cores, len(wanted))
    joint = Joint(dict.fromkeys(wanted, 1.0), lambda share: job.progress(phase, round(100 * share), 100))

    def one(name: str) -> Trained:
        model, teacher, epochs, seed = wanted[name]
        inputs = {
            "start": model_digest(model),
            "teacher": model_digest(teacher) if teacher else "",
            "data": job.data.digest,
            "epochs": epochs,
            "seed": seed,
        }

        def compute(folder: Path) -> dict[str, float]:
            task = Task(model, teacher, job.data, epochs, seed, crew.threads, folder)
            report = lambda done, total: joint.update(name, done / max(1, total))
            return crew.run(name, task, report) if epochs else task.run(report)

        result = job.state.run(f"training/{name}", inputs, compute)
        joint.update(name, 1.0)
        model.load_state_dict(torch.load(job.state.files(f"training/{name}") / "weights.pt", weights_only=True))
        return Trained(model.eval(), **result)

    with Crew(parallel, threads=max(1, cores // parallel)) as crew:
        return crew.each(wanted, one)
