"""Run one stage of training: Lightning runs the loop, saves a checkpoint each epoch, and goes on from it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import signal
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.finish import StageProgress
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import device_of
from b2nn_tvm.mixbin.training.memory_format import laid_out, training_layout
from b2nn_tvm.mixbin.training.recipe import EpochRecord, Objective, Recipe
from b2nn_tvm.mixbin.training.silence_lightning import quiet_lightning

if TYPE_CHECKING:
    import lightning as L


def fit(
    model: nn.Module,
    data: DataBundle,
    objective: Objective,
    *,
    recipe: Recipe,
    hardware: Hardware,
    told: StageProgress,
    workdir: str | os.PathLike[str] | None = None,
) -> tuple[EpochRecord, ...]:
    """Train ``model`` in place, or go on from this run's checkpoint in ``workdir``; returns one record per epoch.

    A checkpoint belongs to a run if start weights, data, objective, recipe and precision are the same; its name
    contains their hash. Raises InputError where a checkpoint is damaged, processes start from different states, the
    accelerator does not exist, or the loss is no longer finite.
    """
    import lightning as L
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.callbacks import ModelCheckpoint

    from b2nn_tvm.mixbin.training.recipes.weight_average import WeightAverage
    from b2nn_tvm.mixbin.training.training_module import TrainingModule

    home = device_of(model)
    with contextlib.ExitStack() as stack:
        folder = workdir
        if folder is None and hardware.spawns:  # spawned processes hand over their result in a file
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        name = f"{recipe.stage}-{_run_digest(model, data, objective, recipe, hardware)[:16]}"
        saving: list[ModelCheckpoint] = []
        checkpoint, done = None, 0
        if folder is not None:
            saving = [ModelCheckpoint(Path(folder), name, save_on_train_epoch_end=True, enable_version_counter=False)]
            checkpoint = Path(folder) / f"{name}.ckpt"
            done = _epochs_in(checkpoint)
        for context in (quiet_lightning(), torch.random.fork_rng(), hardware.cpu_threads()):
            stack.enter_context(context)
        watching = stack.enter_context(told.callbacks(hardware))
        if recipe.optimization.average:
            watching = [*watching, WeightAverage(model, recipe.optimization)]
        try:
            trainer = L.Trainer(
                **hardware.trainer_settings(),
                max_epochs=recipe.epochs,
                callbacks=[*watching, *saving],
                enable_checkpointing=bool(saving),
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
            )
        except MisconfigurationException as error:
            raise InputError(f"training cannot run on accelerator {hardware.accelerator!r}: {error}") from None
        start = f"{name} after {done} epochs"
        module = TrainingModule(laid_out(model.train(), training_layout(model)), data, objective, recipe, start)
        try:
            _run(trainer, module, checkpoint if done else None)
        finally:
            laid_out(model.to(home), torch.contiguous_format)
        if checkpoint is None or not hardware.spawns:
            return tuple(module.history)
        written = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return tuple(EpochRecord(**record) for record in written["history"])


def _run(trainer: L.Trainer, module: L.LightningModule, checkpoint: Path | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:
        # Lightning turns Ctrl-C into an exit and leaves the signal ignored from then on.
        if not isinstance(interruption := stop.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise interruption from None


def _epochs_in(checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    try:
        return len(torch.load(checkpoint, map_location="cpu", weights_only=True)["history"])
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{checkpoint}: a damaged checkpoint ({reason}); delete it to start this training over"
        ) from None


def _run_digest(model: nn.Module, data: DataBundle, objective: Objective, recipe: Recipe, hardware: Hardware) -> str:
    settings = {**asdict(recipe), "undecayed": sorted(recipe.undecayed), "objective": repr(objective)}
    settings["precision"] = hardware.settled_precision
    return hashlib.sha256("\n".join((model_digest(model), data.digest, json.dumps(settings))).encode()).hexdigest()
