"""BNAS amplitude: score_j = ||W_j - Q(W_j)||^2, the error of binary weights; a baseline of the MixBin paper.

The raw error mostly measures the size of a layer, so it is also offered per weight, and relative to ||W_j||^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class BnasAmplitude:
    """The score with the given ``norm``: "raw", "per-weight" or "relative"; raises InputError for any other one."""

    norm: str = "raw"

    NORMS: ClassVar = ("raw", "per-weight", "relative")

    def __post_init__(self) -> None:
        if self.norm not in self.NORMS:
            raise InputError(f"the amplitude is {', '.join(self.NORMS)}, not {self.norm!r}")

    @property
    def name(self) -> str:
        return f"bnas-{self.norm}"

    def score(self, task: ScoringTask) -> Sensitivity:
        layers = {name: task.model.get_submodule(name) for name in task.layers}
        rows = {name: self._score(layer, task.conversion.binarizer) for name, layer in layers.items()}
        return Sensitivity(self.name, rows)

    def _score(self, layer: nn.Module, binarizer: str) -> float:
        weight = layer.get_parameter("weight").detach().double()
        lost = float((weight - binarize(weight, binarizer).dense).square().sum())
        if self.norm == "raw":
            return lost
        # A layer of zeros loses nothing, however it is measured.
        return lost / weight.numel() if self.norm == "per-weight" else lost / (float(weight.square().sum()) or 1.0)
