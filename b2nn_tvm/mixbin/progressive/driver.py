"""Make layers binary one after the other, as a Progression says, and keep finished steps on disk."""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.progressive.settings import Progression
from b2nn_tvm.mixbin.scoring.partial_results import PartialResults
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.shared_runs import SharedRuns
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.loss import evaluate, mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.storage.phase_cache import State

PHASE = "binarize layer by layer"


@dataclass(frozen=True)
class Step:
    """One layer became binary.

    ``loss`` is the mean loss on the task's batches after this step, and ``accuracy`` the validation accuracy (None
    without data). In the greedy order, ``losses`` holds the losses of all candidates before training.
    """

    layer: str
    loss: float
    accuracy: float | None
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Progressed:
    """The network after the last kept step; ``stopped`` says why it was the last: "limit", "floor" or "no layer
    left".
    """

    model: nn.Module
    steps: tuple[Step, ...]
    stopped: str
    plan: Plan

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers in the order in which they became binary."""
        return tuple(step.layer for step in self.steps)


def progressive(
    task: ScoringTask, how: Progression, *, folder: str | os.PathLike[str] | None = None, batch: int = 64
) -> Progressed:
    """Binarize the layers of ``task`` one by one, until its limit or the accuracy floor is reached or no layer is left.

    After each layer the network is trained, or only its batch norms are re-estimated. With a ``folder``, each finished
    step stays on disk, as do the epochs of a training and the candidates of a greedy step, and the same call goes on
    where an earlier one was stopped. Raises BudgetError where no choice keeps the limit, InputError where training or
    the floor lack data, and the errors of training.
    """
    _check(task, how)
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return _Driver(task, how, State(Path(temporary)), batch, keep=False).run()
    return _Driver(task, how, State(Path(folder)), batch, keep=True).run()


def _check(task: ScoringTask, how: Progression) -> None:
    if task.data is None and (how.epochs or how.floor is not None):
        raise InputError("training after each layer, or an accuracy floor, needs data: a DataBundle")
    if not isinstance(how.order, str):
        missing = [name for name in task.layers if name not in how.order]
        if missing:
            raise InputError(f"no score is given for {', '.join(missing)}")
    if task.cost is not None and task.limit is not None:
        if how.precision == Precision.WEIGHT_BINARY and task.cost.unit != "bytes":
            raise InputError(f"binary weights alone save bytes, not {task.cost.unit}: give a cost in bytes")
        select(
            dict.fromkeys(task.cost.names, 0.0), task.cost, task.limit, solver="sort"
        )  # raises for an impossible limit


class _Driver:
    def __init__(self, task: ScoringTask, how: Progression, state: State, batch: int, *, keep: bool):
        self._task, self._how, self._state, self._batch, self._keep = task, how, state, batch, keep
        pays = set(task.layers) if task.cost is None else set(task.cost.worthwhile)
        self._order = [name for name in task.in_order if name in pays]
        if how.order == "rear":
            self._order.reverse()
        elif not isinstance(how.order, str):
            self._order.sort(key=how.order.__getitem__)
        settings = asdict(how) | {"order": how.order if isinstance(how.order, str) else dict(how.order)}
        del settings["floor"]  # the floor ends a progression and changes no step
        data = "" if task.data is None else task.data.digest
        self._inputs = {
            "subject": task.digest(),
            "data": data,
            "batch": batch,
            "seed": task.seed,
            "how": settings,
        }

    def run(self) -> Progressed:
        model = reestimate(self._task.convert(()), self._task.batches)
        steps: list[Step] = []
        while True:
            done = [step.layer for step in steps]
            left = [name for name in self._order if name not in done]
            if self._within_limit(done) or not left:
                stopped = "limit" if self._within_limit(done) else "no layer left"
                self._report(0)
                return Progressed(model, tuple(steps), stopped, self._plan(done))
            self._report(len(left))
            name = f"step-{len(steps) + 1:02d}"
            inputs = {**self._inputs, "done": done, "left": left, "start": model_digest(model)}
            compute = partial(self._step, model=model, left=left)
            result = self._state.run(name, inputs, compute)
            step = Step(**result)
            if self._is_below_floor(step):
                return Progressed(model, tuple(steps), "floor", self._plan(done))
            model = self._binarized(model, step.layer)
            model.load_state_dict(torch.load(self._state.files(name) / "weights.pt", weights_only=True))
            if not self._keep:
                shutil.rmtree(self._state.files(name))
            steps.append(step)

    def _is_below_floor(self, step: Step) -> bool:
        floor = self._how.floor
        return floor is not None and step.accuracy is not None and step.accuracy < floor

    def _within_limit(self, done: Sequence[str]) -> bool:
        cost, limit = self._task.cost, self._task.limit
        return cost is not None and limit is not None and cost.total(done) <= limit

    def _report(self, left: int, tried: int = 0) -> None:
        """Report progress in evaluated networks: one per layer, or in the greedy order one per candidate."""
        total = self._evaluations(len(self._order))
        self._task.progress(PHASE, total - self._evaluations(left) + tried, total)

    def _evaluations(self, layers: int) -> int:
        return layers * (layers + 1) // 2 if self._how.order == "greedy" else layers

    def _step(self, folder: Path, *, model: nn.Module, left: Sequence[str]) -> dict[str, Any]:
        task, how = self._task, self._how
        losses = self._try_each(folder, model, left) if how.order == "greedy" else {}
        layer = min(left, key=lambda name: (losses.get(name, math.inf), left.index(name)))
        changed = self._binarized(model, layer)
        if how.epochs and task.data is not None:
            self._train(changed, task.data, folder)
        else:
            reestimate(changed, task.batches)
        accuracy = None if task.data is None else evaluate(changed, task.data.val_loader())
        buffer = io.BytesIO()
        torch.save(changed.state_dict(), buffer)
        write_atomic(folder / "weights.pt", buffer.getvalue())
        loss = mean_loss(changed, task.batches, loss=task.loss)
        return asdict(Step(layer, loss, accuracy, losses))

    def _train(self, model: nn.Module, data: DataBundle, folder: Path) -> None:
        how = self._how
        finetune(
            model,
            self._task.model,
            data,
            epochs=how.epochs,
            lr=how.lr,
            distillation=how.distillation,
            first_stage=0.0,  # weights that were binary before stay so
            batch=self._batch,
            seed=self._task.seed,
            workdir=folder / "checkpoints",
        )
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)

    def _try_each(self, folder: Path, model: nn.Module, left: Sequence[str]) -> dict[str, float]:
        """The loss of ``model`` with each of the layers in ``left`` made binary, one at a time and without training."""
        notes = PartialResults(folder / "candidates.json", subject="this step")  # the folder belongs to this very step
        losses = dict(notes.read())
        runs = SharedRuns(self._task.convert((), model=model), self._task.batches)
        for name in left:
            self._report(len(left), len(losses))
            if name not in losses:
                losses[name] = runs.reestimated(self._binarized(model, name)).loss(self._task.loss)
                notes.write(losses)
        return losses

    def _binarized(self, model: nn.Module, name: str) -> nn.Module:
        changed = self._task.convert(Plan({name: self._how.precision}), model=model)
        if self._how.freeze:
            for module in changed.modules():
                if isinstance(module, BinaryConv2d):
                    module.weight.requires_grad_(False)
        return changed

    def _plan(self, done: Sequence[str]) -> Plan:
        states = {name: self._how.precision if name in done else Precision.FLOAT for name in self._task.in_order}
        method = self._how.order if isinstance(self._how.order, str) else "scores"
        return Plan(states, method=f"progressive, {method}")
