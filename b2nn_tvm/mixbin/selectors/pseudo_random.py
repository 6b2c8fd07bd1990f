"""Pseudo-random: MixBin's choice with a share of its members swapped for outsiders (a baseline of the MixBin paper)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import ClassVar

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.mixbin.selectors.mixbin_loss import MixBinLoss
from b2nn_tvm.mixbin.selectors.selector import Selector


@dataclass(frozen=True)
class PseudoRandom:
    """``swapped`` is the share of ``base``'s choice that is swapped for outsiders, both drawn by the task's seed.

    The score is a place in this order: members that stay, outsiders that come in, other outsiders, members that go;
    each group is sorted by base's score. Selecting in this order under the same budget keeps the budget after the swap
    too: where the new members save less, other outsiders follow. Raises InputError where the task has no budget, or the
    share is not within 0 and 1.
    """

    swapped: float = 0.3
    base: Selector = field(default_factory=MixBinLoss)

    name: ClassVar[str] = "pseudo-random"

    def __post_init__(self) -> None:
        if not 0 <= self.swapped <= 1:
            raise InputError(f"a share from 0 to 1 is swapped, not {self.swapped}")

    def score(self, task: ScoringTask) -> Sensitivity:
        if task.cost is None or task.limit is None:
            raise InputError("pseudo-random swaps members of the choice under a budget; give it a cost and a limit")
        base = self.base.score(replace(task, path=task.path and f"{task.path}.base"))
        members = select(base.scores, task.cost, task.limit, solver="sort").binary
        outsiders = [name for name in task.cost.worthwhile if name not in members]
        count = min(round(self.swapped * len(members)), len(outsiders))
        source = random.Random(task.seed)
        gone, new = set(source.sample(members, count)), set(source.sample(outsiders, count))
        stay = set(members) - gone

        def group(name: str) -> int:
            return 0 if name in stay else 1 if name in new else 3 if name in gone else 2

        ranked = sorted(task.layers, key=lambda name: (group(name), base.scores[name]))
        scores = {name: float(ranked.index(name)) for name in task.layers}
        digest = task.digest(self.name, self.base.name, self.swapped, task.seed, float(task.limit))
        return Sensitivity(self.name, scores, base.deltas, base.reference_loss, digest)
