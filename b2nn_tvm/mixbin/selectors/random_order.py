"""Random: a baseline that looks at nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Subject


@dataclass(frozen=True)
class RandomOrder:
    """A random order, drawn by the subject's seed; average over at least five of them before comparing."""

    name: ClassVar[str] = "random"

    def score(self, subject: Subject) -> Sensitivity:
        source = random.Random(subject.seed)
        return Sensitivity(self.name, {name: source.random() for name in subject.layers})
