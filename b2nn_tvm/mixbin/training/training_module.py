"""One stage of training as Lightning sees it; importing this loads Lightning."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.utils.data import DataLoader

from b2nn_tvm.data.bundle import Batch, DataBundle, in_order
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.memory_format import training_layout
from b2nn_tvm.mixbin.training.recipe import EpochRecord, Objective, Recipe


class TrainingModule(L.LightningModule):
    """Trains ``model`` in place by ``recipe``; ``history`` has a record per epoch and survives in checkpoints.

    All random numbers are drawn from the recipe's seed and the epoch, so that a resumed run equals an uninterrupted
    one. The model's weights should lie as ``training_layout`` says. ``start`` describes the state that training starts
    from, in words that must be the same in all processes: InputError is raised where they are not, and where the loss
    of an epoch is not finite.
    """

    def __init__(self, model: nn.Module, data: DataBundle, objective: Objective, recipe: Recipe, start: str):
        super().__init__()
        self.model, self.data, self.objective, self.recipe, self.start = model, data, objective, recipe, start
        self._layout = training_layout(model)
        self.history: list[EpochRecord] = []

    def setup(self, stage: str) -> None:
        first = self.trainer.strategy.broadcast(self.start)
        if first != self.start:
            raise InputError(
                f"process {self.trainer.global_rank} starts from {self.start}, but the first one from {first}: seed "
                "the network alike in all processes, and give a workdir that all machines share"
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        share = {"replicas": self.trainer.world_size, "rank": self.trainer.global_rank}
        return self.data.on(self.device).train_loader(self.recipe.batch, seed=self.recipe.seed, **share)

    def val_dataloader(self) -> DataLoader[Batch]:
        share = {"replicas": self.trainer.world_size, "rank": self.trainer.global_rank}
        return in_order(self.data.on(self.device).val, workers=self.data.workers, **share)

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.current_epoch)

    def training_step(self, batch: tuple[torch.Tensor, ...], _: int) -> torch.Tensor:
        loss = self.objective(self._outputs(batch), batch)
        self.log("loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, ...], _: int) -> None:
        right = (self._outputs(batch).argmax(dim=1) == batch[1]).float().mean()
        self.log("accuracy", right, on_epoch=True, sync_dist=True, batch_size=len(batch[0]))

    def on_train_epoch_end(self) -> None:
        loss, accuracy = (float(self.trainer.callback_metrics[name]) for name in ("loss", "accuracy"))
        if not math.isfinite(loss):
            raise InputError(
                f"the training loss became {loss} in epoch {self.current_epoch + 1} of stage {self.recipe.stage!r}; "
                f"lower the learning rate ({self.recipe.lr}) or check the data"
            )
        self.history.append(EpochRecord(self.recipe.stage, self.current_epoch + 1, loss, accuracy))

    def on_train_end(self) -> None:
        # Each process has the running statistics of its own share; the checkpoint has those of the first process.
        for buffer in self.model.buffers():
            buffer.copy_(self.trainer.strategy.broadcast(buffer))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe, how = self.recipe, self.recipe.optimization
        optimizer = how.make(
            self.model.named_parameters(), lr=recipe.lr, decay=recipe.decay, undecayed=recipe.undecayed
        )
        steps = int(self.trainer.estimated_stepping_batches)
        falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: how.rate(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": falling, "interval": "step"}}

    def _outputs(self, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        # In mixed precision the outputs are 16-bit floats, which are too coarse for a sum of exponentials.
        outputs: torch.Tensor = self.model(batch[0].contiguous(memory_format=self._layout))
        return outputs.float()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = [asdict(record) for record in self.history]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = [EpochRecord(**record) for record in checkpoint["history"]]
