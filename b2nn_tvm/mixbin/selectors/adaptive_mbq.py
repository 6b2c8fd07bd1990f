"""After Adaptive MBQ, whose exact form is not public: expand the loss in the change of the weights, d = Q(W) - W.

first order    score_j = |<g_j, d_j>|
second order   score_j = <g_j, d_j> + <d_j, H_j d_j> / 2

Q is the task's precision; what it does to the input of a layer does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.curvature import Curvature
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class AdaptiveMbq:
    """The score of the given ``order`` of the expansion, 1 or 2; raises InputError for any other order.

    H_j is the exact Hessian of layer j alone.
    """

    order: int = 1

    WORDS: ClassVar = {1: "first", 2: "second"}

    def __post_init__(self) -> None:
        if self.order not in self.WORDS:
            raise InputError(f"the expansion is of order 1 or 2, not {self.order}")

    @property
    def name(self) -> str:
        return f"mbq-{self.WORDS[self.order]}-order"

    def score(self, task: ScoringTask) -> Sensitivity:
        found = Sensitivity.begun(task.path, method=self.name, subject=task.digest(self.name))
        curvature = Curvature(task.model, task.layers, task.batches, task.loss)
        gradients = curvature.gradients()
        scores = dict(found.scores)
        missing = [name for name in task.layers if name not in scores]
        for done, name in enumerate(missing, len(task.layers) - len(missing)):
            task.progress(self.name, done, len(task.layers))
            weight = curvature.weights[name]
            change = task.quantized_weight(name) - weight.detach()
            slope = _dot(gradients[name], change)
            bend = _dot(change, curvature.products({name: change})[name]) / 2 if self.order == 2 else 0.0
            scores[name] = abs(slope) if self.order == 1 else slope + bend
            found = Sensitivity(self.name, scores, subject=found.subject)
            if task.path is not None:
                found.save(task.path)
        task.progress(self.name, len(task.layers), len(task.layers))
        return Sensitivity(self.name, {name: scores[name] for name in task.layers}, subject=found.subject)


def _dot(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((one.double() * two.double()).sum())
