"""Pseudo-random: MixBin's choice with a share of its members swapped for outsiders (a baseline of the MixBin paper)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import ClassVar

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.select import select
from b2nn_tvm.mixbin.selectors.mixbin_loss import MixBinLoss
from b2nn_tvm.mixbin.selectors.selector import Selector
from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Subject


@dataclass(frozen=True)
class PseudoRandom:
    """``swapped`` is the share of ``base``'s choice under the subject's budget that is swapped, drawn by its seed.

    The score is a place: members that stay, newcomers, other outsiders, members that went; each by base's score.
    Selecting in this order under the same budget checks the budget after the swap: where the newcomers save less,
    outsiders follow. Raises InputError where the subject has no budget, or the share is not within 0 and 1.
    """

    swapped: float = 0.3
    base: Selector = field(default_factory=MixBinLoss)

    name: ClassVar[str] = "pseudo-random"

    def __post_init__(self) -> None:
        if not 0 <= self.swapped <= 1:
            raise InputError(f"a share from 0 to 1 is swapped, not {self.swapped}")

    def score(self, subject: Subject) -> Sensitivity:
        if subject.cost is None or subject.limit is None:
            raise InputError("pseudo-random swaps members of the choice under a budget; give it a cost and a limit")
        base = self.base.score(replace(subject, path=subject.path and f"{subject.path}.base"))
        members = select(base.scores, subject.cost, subject.limit).binary
        outsiders = [name for name in subject.cost.worthwhile if name not in members]
        count = min(round(self.swapped * len(members)), len(outsiders))
        source = random.Random(subject.seed)
        gone, new = set(source.sample(members, count)), set(source.sample(outsiders, count))
        stay = set(members) - gone
        group = lambda name: 0 if name in stay else 1 if name in new else 3 if name in gone else 2
        ranked = sorted(subject.layers, key=lambda name: (group(name), base.scores[name]))
        scores = {name: float(ranked.index(name)) for name in subject.layers}
        digest = subject.digest(self.name, self.base.name, self.swapped, subject.seed, float(subject.limit))
        return Sensitivity(self.name, scores, base.deltas, base.reference_loss, digest)
