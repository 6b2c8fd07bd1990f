"""Rear-BN: the layers nearest to the output first (a baseline of the MixBin paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Subject


@dataclass(frozen=True)
class Rear:
    """The score is the layer's place from the rear."""

    name: ClassVar[str] = "rear"

    def score(self, subject: Subject) -> Sensitivity:
        places = {name: float(index) for index, name in enumerate(reversed(subject.in_order))}
        return Sensitivity(self.name, {name: places[name] for name in subject.layers})
