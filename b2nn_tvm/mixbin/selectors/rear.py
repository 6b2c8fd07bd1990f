"""Rear-BN: the layers nearest to the output first (a baseline of the MixBin paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class Rear:
    """The score is the layer's place from the rear."""

    name: ClassVar[str] = "rear"

    def score(self, task: ScoringTask) -> Sensitivity:
        places = {name: float(index) for index, name in enumerate(reversed(task.in_order))}
        return Sensitivity(self.name, {name: places[name] for name in task.layers})
