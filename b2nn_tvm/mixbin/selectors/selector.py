"""The interface of all selectors."""

from __future__ import annotations

from typing import Protocol

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


class Selector(Protocol):
    """Scores the layers of a task, the lowest to be binarized first; a frozen dataclass whose fields are options."""

    @property
    def name(self) -> str:
        """The name of the method in the registry."""

    def score(self, task: ScoringTask) -> Sensitivity:
        """One finite score per layer of the task; raises InputError where the task lacks what it needs."""
