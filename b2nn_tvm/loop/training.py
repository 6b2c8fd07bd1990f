"""Train the float parent and fine-tune converted networks: each in a process of its own, several side by side."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm import errors
from b2nn_tvm.data import DataBundle
from b2nn_tvm.document import write_atomic
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.fingerprint import model_digest
from b2nn_tvm.mixbin.finetune import FIRST_STAGE
from b2nn_tvm.mixbin.recipe import Report
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
    first_stage: float = FIRST_STAGE


@dataclass(frozen=True)
class Trained:
    """A trained network and its share of right answers on the validation and the test set."""

    model: torch.nn.Module
    validation_accuracy: float
    accuracy: float


def train_parent(job: Job) -> Trained:
    """The float network trained for ``float_epochs`` (as it is, where that is 0), in place of ``job.model``."""
    return _train_each(job, {"parent": Wanted(job.model, None, job.settings.float_epochs)}, "train the float network")["parent"]


def finetune_each(job: Job, choices: Mapping[str, tuple[str, ...]], *, phase: str, effort: int = 0) -> dict[str, Trained]:
    """Convert the parent to each choice of binary layers and fine-tune it by distillation from the parent, all with equal effort.

    ``effort`` epochs come on top of the search's own: those that what it is compared with had before.
    """
    convert = job.settings.conversion.convert
    wanted = {name: Wanted(convert(job.model, binary), job.model, job.settings.epochs + effort) for name, binary in choices.items()}
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
    crew = _Crew(job, phase, len(wanted))

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
            threads = max(1, cores // parallel)
            task = Task(want.model, want.teacher, job.data, want.epochs, seed, threads, folder, want.first_stage)
            return crew.run(name, task) if want.epochs else run_task(task, lambda done, total: None)

        result = job.state.run(f"training/{name}", inputs, compute)
        crew.finished(name)
        want.model.load_state_dict(torch.load(job.state.files(f"training/{name}") / "weights.pt", weights_only=True))
        return Trained(want.model.eval(), **result)

    with ThreadPoolExecutor(parallel) as pool:
        futures = {name: pool.submit(one, name) for name in wanted}
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            crew.stop()
            raise


class _Crew:
    """The worker processes of one phase, and their joint progress."""

    def __init__(self, job: Job, phase: str, size: int) -> None:
        self._job, self._phase, self._size = job, phase, size
        self._shares: dict[str, float] = {}
        self._processes: list[subprocess.Popen] = []
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, name: str, task: Task) -> dict[str, Any]:
        """Run one task in a process; its result, or the error it reported."""
        import cloudpickle

        packed = task.folder / "task.pickle"
        packed.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(packed, cloudpickle.dumps(task))
        try:
            return self._run(name, packed, task.threads)
        finally:
            packed.unlink(missing_ok=True)

    def finished(self, name: str) -> None:
        self._report(name, 1.0)

    def stop(self) -> None:
        """End every worker that still runs, and start no other one."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                if process.poll() is None:
                    process.terminate()

    def _run(self, name: str, packed: Path, threads: int) -> dict[str, Any]:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        # Threads that spin while they wait make a training 20 times slower where another process wants the cores.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            command = [sys.executable, "-m", "b2nn_tvm.loop.worker", str(packed)]
            log = open(packed.with_name("stderr.txt"), "w+", encoding="utf-8")  # noqa: SIM115 - closed below
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
            self._processes.append(process)
        last: dict[str, Any] = {}
        with log, process:
            for line in process.stdout:
                last = json.loads(line)
                if "done" in last:
                    self._report(name, last["done"] / max(1, last["total"]))
                elif "loss" in last:
                    self._job.tell(self._phase, f"{name}: loss {last['loss']:.3f}, accuracy {last['accuracy']:.1%}")
            process.wait()
            log.seek(0)
            complaint = log.read()
        Path(log.name).unlink()
        if "result" in last:
            return last["result"]
        if "error" in last:
            raise getattr(errors, last["kind"], errors.B2nnError)(last["error"])
        raise RuntimeError(f"the training of {name} ended with status {process.returncode}: {complaint[-2000:]}")

    def _report(self, name: str, share: float) -> None:
        with self._lock:
            self._shares[name] = share
            self._job.progress(self._phase, round(100 * sum(self._shares.values()) / self._size), 100)
