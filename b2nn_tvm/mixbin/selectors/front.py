"""Front-BN: the layers nearest to the input first (a baseline of the MixBin paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class Front:
    """The score is the layer's place in the network."""

    name: ClassVar[str] = "front"

    def score(self, task: ScoringTask) -> Sensitivity:
        places = {name: float(index) for index, name in enumerate(task.in_order)}
        return Sensitivity(self.name, {name: places[name] for name in task.layers})
