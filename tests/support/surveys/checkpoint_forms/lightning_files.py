"""Files that Lightning's Trainer and Fabric write while they train a network for two steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn


def _trained(net: nn.Module, folder: Path, *, callbacks: Any = (), keep_module: bool = False) -> Any:
    """The trainer, after ``net`` was trained in a module as its attribute ``model``."""
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    class Classifier(lightning.LightningModule):
        def __init__(self, model: nn.Module, rate: float = 0.01, betas: tuple[float, float] = (0.9, 0.99)) -> None:
            super().__init__()
            self.save_hyperparameters(*([] if keep_module else ["rate", "betas"]))
            self.model = model
            self.criterion = nn.CrossEntropyLoss(weight=torch.ones(10))

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return self.criterion(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), self.hparams.rate, 0.9)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    images = TensorDataset(torch.rand(4, 3, 32, 32), torch.arange(4))
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=bool(callbacks),
        callbacks=list(callbacks),
        default_root_dir=folder,
    )
    trainer.fit(Classifier(net.train()), DataLoader(images, batch_size=2))
    return trainer


def _saved(net: nn.Module, folder: Path, *, weights_only: bool = False, keep_module: bool = False) -> Path:
    trainer = _trained(net, folder, keep_module=keep_module)
    trainer.save_checkpoint(folder / "last.ckpt", weights_only=weights_only)
    return folder / "last.ckpt"


def _averaged(net: nn.Module, folder: Path) -> Path:
    from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint

    saving = ModelCheckpoint(dirpath=folder, filename="last")
    _trained(net, folder, callbacks=[EMAWeightAveraging(decay=0.5), saving])
    return Path(saving.best_model_path)


def _of_fabric(net: nn.Module, folder: Path) -> Path:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1)
    model, optimizer = fabric.setup(net, torch.optim.SGD(net.parameters(), 0.1))
    fabric.save(folder / "state.ckpt", {"model": model, "optimizer": optimizer, "step": 3})
    return folder / "state.ckpt"


LIGHTNING_FILES: dict[str, Callable[[nn.Module, Path], Path]] = {
    "Lightning, Trainer.save_checkpoint": _saved,
    "Lightning, weights_only=True": lambda net, folder: _saved(net, folder, weights_only=True),
    "Lightning, EMAWeightAveraging and ModelCheckpoint": _averaged,
    "Lightning, the network among the hyperparameters": lambda net, folder: _saved(net, folder, keep_module=True),
    "Lightning Fabric, Fabric.save": _of_fabric,
}
