"""MixBin_Loss: score_j = Delta_j, the rise of the loss with layer j alone binary (MixBin, equation 6, corrected
sign).
"""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors.one_by_one import one_by_one


@dataclass(frozen=True)
class MixBinLoss:
    """The printed rule sorts kappa = -Delta ascending, which inverts the order; the scores here are Delta.

    ``printed_order`` gives the scores of the printed rule instead, for comparison: the most harmful layers go first.
    """

    printed_order: bool = False

    @property
    def name(self) -> str:
        return "mixbin-loss-printed-order" if self.printed_order else "mixbin-loss"

    def score(self, task: ScoringTask) -> Sensitivity:
        sign = -1 if self.printed_order else 1
        return one_by_one(task, method=self.name, scoring=lambda delta, variant, name: sign * delta)
