"""How weights move: the optimizer, the course of its learning rate, and the average of the weights that is kept.

Warm-up: Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.2. Cosine: Loshchilov and Hutter, SGDR, ICLR 2017,
equation 5, without restarts. No decay of vectors: He et al., Bag of Tricks, CVPR 2019, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from b2nn_tvm.errors import InputError

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("linear", "cosine")


@dataclass(frozen=True)
class Optimization:
    """Adam, or SGD with Nesterov's momentum of 0.9; the learning rate falls to nearly 0 by ``schedule``.

    Over the share ``warmup`` of all steps the rate rises to its full height first. The trained weights are those of the
    last step, or with ``average`` > 0 their exponential moving average, which looks back on about this share of the
    steps. Without ``decay_vectors`` only matrices and filters have weight decay: no bias, no scale or shift of a batch
    norm, no threshold. Raises InputError, with the choices, for a value that is unknown or out of range.
    """

    optimizer: str = "adam"
    schedule: str = "linear"
    warmup: float = 0.0
    average: float = 0.0
    decay_vectors: bool = True

    def __post_init__(self) -> None:
        for what, word, choices in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
        ):
            if word not in choices:
                raise InputError(f"unknown {what} {word!r}; choose one of {', '.join(choices)}")
        for what, share in (("warm-up", self.warmup), ("average", self.average)):
            if not 0 <= share < 1:
                raise InputError(f"the {what} takes a share of the steps from 0 to below 1, not {share}")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, as a share of its full height; it is never 0."""
        warm = self.warmup * steps
        if step + 1 < warm:
            return (step + 1) / warm
        left = min(1.0, max(1, steps - step) / (steps - warm))
        return left if self.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))

    def decay_of_average(self, steps: int) -> float:
        """The share of the average that stays at each step."""
        return 1 - 1 / max(1.0, self.average * steps)

    def make(
        self, named: Iterable[tuple[str, nn.Parameter]], *, lr: float, decay: float, undecayed: frozenset[str]
    ) -> torch.optim.Optimizer:
        """The optimizer of the parameters that are trained; those named in ``undecayed`` have no weight decay."""
        kept = [(name, each) for name, each in named if each.requires_grad]
        free = undecayed | {name for name, each in kept if each.ndim <= 1 and not self.decay_vectors}
        groups: list[dict[str, Any]] = [
            {"params": [each for name, each in kept if name not in free], "weight_decay": decay},
            {"params": [each for name, each in kept if name in free], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if self.optimizer == "adam":
            return torch.optim.Adam(groups, lr=lr)
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True)


PLAIN = Optimization()
