"""Front-BN: the layers nearest to the input first (a baseline of the MixBin paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Subject


@dataclass(frozen=True)
class Front:
    """The score is the layer's place in the network."""

    name: ClassVar[str] = "front"

    def score(self, subject: Subject) -> Sensitivity:
        places = {name: float(index) for index, name in enumerate(subject.in_order)}
        return Sensitivity(self.name, {name: places[name] for name in subject.layers})
