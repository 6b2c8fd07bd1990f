"""Keep an exponential moving average of the weights, which is validated and becomes the trained network.

As in Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992, with torch's AveragedModel. Of a
binary layer the latent weights are averaged.
"""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from b2nn_tvm.mixbin.training.recipes.optimization import Optimization


class WeightAverage(L.Callback):
    """Averages the parameters of ``model``, the network inside the Lightning module, from step to step.

    Buffers are not averaged: a training re-estimates its batch norms at its end. The average is part of checkpoints,
    and a training that is found finished gives the average too.
    """

    def __init__(self, model: nn.Module, optimization: Optimization) -> None:
        self._model, self._optimization = model, optimization
        self._average: AveragedModel

    def setup(self, *_: Any, **__: Any) -> None:
        self._average = AveragedModel(self._model)  # a copy, as the weights lie now

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        steps = int(trainer.estimated_stepping_batches)
        decay = self._optimization.decay_of_average(steps)
        self._average.multi_avg_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch's
        self._average.to(pl_module.device)

    def on_train_batch_end(self, *_: Any) -> None:
        self._average.update_parameters(self._model)

    def on_validation_start(self, *_: Any) -> None:
        self._swap()

    def on_validation_end(self, *_: Any) -> None:
        self._swap()

    def on_fit_end(self, *_: Any) -> None:
        if self._average.n_averaged > 0:
            with torch.no_grad():
                for own, average in zip(self._model.parameters(), self._average.module.parameters(), strict=True):
                    own.copy_(average)

    def state_dict(self) -> dict[str, Any]:
        return self._average.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average.load_state_dict(state_dict)

    def _swap(self) -> None:
        if self._average.n_averaged == 0:
            return
        with torch.no_grad():
            for own, average in zip(self._model.parameters(), self._average.module.parameters(), strict=True):
                kept = own.clone()
                own.copy_(average)
                average.copy_(kept)
