"""Random: a baseline whose order depends on the seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class RandomOrder:
    """A random order, drawn by the task's seed; average over at least five of them before comparing."""

    name: ClassVar[str] = "random"

    def score(self, task: ScoringTask) -> Sensitivity:
        source = random.Random(task.seed)
        return Sensitivity(self.name, {name: source.random() for name in task.layers})
