"""HAWQ-V2: score_j = Tr(H_j) / n_j * ||Q(W_j) - W_j||^2 (Dong et al., NeurIPS 2020, equation 2.11).

Tr(H_j), the trace of the Hessian of the loss in the n_j weights of layer j, is Hutchinson's estimate: the mean of <v, H
v> over vectors v of random signs. One product with the joint Hessian serves all layers: the other layers' share of
<v_j, (H v)_j> has the mean 0. Q is the task's precision; what it does to the input of a layer does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.curvature import Curvature
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity


@dataclass(frozen=True)
class HawqV2:
    """Drawing ends when no layer's mean changes by more than ``tolerance`` of itself, or after ``most_draws``.

    Raises InputError where either of the two is out of range.
    """

    tolerance: float = 1e-3
    most_draws: int = 100

    name: ClassVar[str] = "hawq-v2"

    def __post_init__(self) -> None:
        if not (self.tolerance >= 0 and self.most_draws >= 1):
            raise InputError(
                f"HAWQ-V2 needs a tolerance from 0 and at least one draw, not {self.tolerance} and {self.most_draws}"
            )

    def score(self, task: ScoringTask) -> Sensitivity:
        digest = task.digest(self.name, task.seed, *task.layers)
        notes = task.notes(digest)
        begun = notes.read()
        sums, draws = dict.fromkeys(task.layers, 0.0) | begun.get("sums", {}), begun.get("draws", 0)
        settled = bool(begun.get("settled", False))
        curvature = Curvature(task.model, task.layers, task.batches, task.loss)
        while draws < self.most_draws and not settled:
            task.progress(self.name, draws, self.most_draws)
            parts = trace_parts(curvature, _signs(curvature, seed=[task.seed, draws]))
            before = {name: total / max(draws, 1) for name, total in sums.items()}
            sums, draws = {name: total + parts[name] for name, total in sums.items()}, draws + 1
            settled = draws > 1 and all(
                abs(sums[name] / draws - mean) <= self.tolerance * abs(mean) for name, mean in before.items()
            )
            notes.write({"sums": sums, "draws": draws, "settled": settled})
        task.progress(self.name, self.most_draws, self.most_draws)
        scores = {}
        for name, weight in curvature.weights.items():
            lost = float((task.quantized_weight(name) - weight.detach()).double().square().sum())
            scores[name] = sums[name] / draws / weight.numel() * lost
        return Sensitivity(self.name, scores, subject=digest)


def trace_parts(curvature: Curvature, vectors: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """<v_j, (H v)_j> of every layer: one draw of the estimate of Tr(H_j), if the vectors are random signs."""
    products = curvature.products(vectors)
    return {name: float((vector.double() * products[name].double()).sum()) for name, vector in vectors.items()}


def _signs(curvature: Curvature, *, seed: list[int]) -> dict[str, torch.Tensor]:
    """Random signs for every layer, the same on every device."""
    first, second = seed
    source = torch.Generator().manual_seed(first * 1_000_003 + second)

    def draw(weight: torch.Tensor) -> torch.Tensor:
        return (torch.randint(0, 2, weight.shape, generator=source) * 2 - 1).to(weight)

    return {name: draw(weight) for name, weight in curvature.weights.items()}
