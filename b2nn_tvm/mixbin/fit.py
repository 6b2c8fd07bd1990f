"""Run one stage of training: Lightning runs the loop, saves a checkpoint each epoch, and goes on from it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.fingerprint import model_digest
from b2nn_tvm.mixbin.layout import training_layout
from b2nn_tvm.mixbin.loss import device_of
from b2nn_tvm.mixbin.quiet_lightning import quiet_lightning
from b2nn_tvm.mixbin.recipe import EpochRecord, Objective, Recipe

if TYPE_CHECKING:
    import lightning as L


@dataclass(frozen=True)
class Place:
    """Where training runs: ``workdir`` keeps checkpoints, ``devices`` > 1 trains in as many processes (DDP).

    ``accelerator`` is Lightning's word ("auto", "cpu", "gpu"); ``threads`` is for computing on the CPU (None: torch's).
    """

    workdir: str | os.PathLike | None = None
    devices: int = 1
    accelerator: str = "auto"
    threads: int | None = None


def fit(
    model: nn.Module,
    data: DataBundle,
    objective: Objective,
    *,
    recipe: Recipe,
    place: Place,
    watchers: Sequence[L.Callback] = (),
) -> tuple[EpochRecord, ...]:
    """Train ``model`` in place, or go on from the checkpoint of this very run in the workdir; one record per epoch.

    A checkpoint belongs to a run if start weights, data, objective and recipe are the same; its name has their hash.
    Raises InputError where a checkpoint is damaged or the loss is no longer finite.
    """
    import lightning as L
    from lightning.pytorch.callbacks import ModelCheckpoint

    from b2nn_tvm.mixbin.training_module import TrainingModule

    home = device_of(model)
    with contextlib.ExitStack() as stack:
        folder = place.workdir
        if folder is None and place.devices > 1:  # the processes hand over through a file
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        saving, checkpoint = [], None
        if folder is not None:
            name = f"{recipe.stage}-{_run_digest(model, data, objective, recipe)[:16]}"
            saving = [ModelCheckpoint(folder, name, save_on_train_epoch_end=True, enable_version_counter=False)]
            checkpoint = Path(folder) / f"{name}.ckpt"
            _check_readable(checkpoint)
        for context in (quiet_lightning(), torch.random.fork_rng(), cpu_threads(place.threads)):
            stack.enter_context(context)
        trainer = L.Trainer(
            accelerator=place.accelerator,
            devices=place.devices,
            # Spawned processes end here; those of plain "ddp" would run the caller's whole program again.
            strategy="ddp_spawn" if place.devices > 1 else "auto",
            max_epochs=recipe.epochs,
            callbacks=[*watchers, *saving],
            enable_checkpointing=bool(saving),
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        module = TrainingModule(model.train().to(memory_format=training_layout(model)), data, objective, recipe)
        try:
            _run(trainer, module, checkpoint if checkpoint is not None and checkpoint.exists() else None)
        finally:
            model.to(home, memory_format=torch.contiguous_format)
        if place.devices == 1:
            return tuple(module.history)
        written = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return tuple(EpochRecord(**record) for record in written["history"])


def _run(trainer: L.Trainer, module: L.LightningModule, checkpoint: Path | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:
        # Lightning turns Ctrl-C into an exit and leaves the signal ignored from then on.
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def _check_readable(checkpoint: Path) -> None:
    if not checkpoint.exists():
        return
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{checkpoint}: a damaged checkpoint ({reason}); delete it to start this training over"
        ) from None


def _run_digest(model: nn.Module, data: DataBundle, objective: Objective, recipe: Recipe) -> str:
    settings = {**asdict(recipe), "undecayed": sorted(recipe.undecayed), "objective": repr(objective)}
    return hashlib.sha256("\n".join((model_digest(model), data.digest, json.dumps(settings))).encode()).hexdigest()


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)
