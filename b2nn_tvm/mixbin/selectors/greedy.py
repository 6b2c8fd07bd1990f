"""Iterative greedy: each step takes the layer that harms least on top of the chosen ones (MixBin, equation 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.progressive.driver import progressive
from b2nn_tvm.mixbin.progressive.settings import Progression
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.progress import part_of


@dataclass(frozen=True)
class Greedy:
    """The score is the step in which a layer is chosen; n (n + 1) / 2 networks are evaluated for n layers.

    With ``epochs`` above 0, that many epochs of training follow each step, and the steps end when the task's budget, if
    it has one, is kept: the layers that are left are ranked by the losses of the last step. Raises InputError where
    training lacks data.
    """

    epochs: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InputError(f"the number of epochs after each step is at least 0, not {self.epochs}")

    @property
    def name(self) -> str:
        return "greedy-trained" if self.epochs else "greedy"

    def score(self, task: ScoringTask) -> Sensitivity:
        if self.epochs and task.data is None:
            raise InputError("the method greedy-trained trains after each step: give it data, a DataBundle")
        named = replace(task, progress=part_of(task.progress, self.name))
        whole = named if self.epochs else replace(named, cost=None, limit=None)
        folder = None if task.path is None else f"{task.path}.steps"
        found = progressive(whole, Progression("greedy", epochs=self.epochs), folder=folder)
        last = found.steps[-1].losses if found.steps else {}
        rest = [name for name in task.in_order if name not in found.layers]
        rest.sort(key=lambda name: last.get(name, math.inf))
        ranked = [*found.layers, *rest]
        scores = {name: float(ranked.index(name)) for name in task.layers}
        return Sensitivity(self.name, scores, subject=task.digest(self.name, self.epochs, task.seed))
