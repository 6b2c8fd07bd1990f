"""What a network saves because its float weights fill less of the caches.

A float layer is slower in a network with many float weights than among binary layers: the weights of all layers run
through the caches in each inference and push one another out, and binary weights take a 32nd of the room. Layers are
timed in the all-float network, where the caches are fullest, so that the plain sum overestimates every mixture. With
the share s of the float weights in all weights that may become binary, a mixture saves

    saving * s * (1 - s):

s for the weights that are read again, and 1 - s for the room that binary layers leave to each of them. Both ends save
nothing, because they are what was measured layer by layer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from b2nn_tvm.errors import InputError

TANGENTS = 17  # to the square of the share, from 0 to 1; between them it is off by less than a thousandth


@dataclass(frozen=True)
class Footprint:
    """The saving of mixtures, at most a fourth of ``saving``, in the unit of the cost that it belongs to.

    ``weights`` is the number of weights of each eligible layer. Raises InputError where a number is below zero or not
    finite, and where no layer has a weight.
    """

    weights: Mapping[str, float]
    saving: float

    def __post_init__(self) -> None:
        for name, value in [("the saving of mixtures", self.saving), *self.weights.items()]:
            if not math.isfinite(value) or value < 0:
                raise InputError(f"{name}: expected a finite number, not below zero, but got {value}")
        if not sum(self.weights.values()):
            raise InputError("the footprint of the weights needs at least one layer with weights")

    @property
    def shares(self) -> dict[str, float]:
        """Each layer's share of all weights."""
        total = sum(self.weights.values())
        return {name: count / total for name, count in self.weights.items()}

    def float_share(self, binary: Collection[str]) -> float:
        """The share of the weights that are float where these layers are binary."""
        chosen = set(binary)
        return math.fsum(share for name, share in self.shares.items() if name not in chosen)

    def saved(self, binary: Collection[str]) -> float:
        """What the network with these binary layers saves."""
        share = self.float_share(binary)
        return self.saving * share * (1 - share)

    def most_saved(self) -> dict[str, float]:
        """For each layer the most that its becoming binary can save here: where all others are float."""
        return {name: self.saving * share * (1 - share) for name, share in self.shares.items()}

    def slopes(self, at: float) -> dict[str, float]:
        """What each layer's staying float costs, if the saving were its tangent at the share ``at``."""
        return {name: self.saving * share * (2 * at - 1) for name, share in self.shares.items()}
