"""What a network saves because weights of fewer bits fill less of the caches.

A layer is slower in a network with many float weights than among binary layers: the weights of all layers run through
the caches in each inference and push one another out. Each layer is timed in the network in which all layers have its
precision, so that the plain sum overestimates every mixture. Weights of precision p fill r_p of the room that float
weights need beyond that of single bits (costs.precisions.room): 1 where they are float, 0 where they are binary. A
layer that holds the share w of all weights costs about w * r * s where the weights fill s of the room in all, and was
timed where s = r. So a mixture saves

    saving * (sum of w * r^2 - s^2)    with s = sum of w * r

which is the variance of r over the weights. Networks of one precision save nothing, because they are what was measured
layer by layer; between binary and float layers it is saving * s * (1 - s).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from b2nn_tvm.costs.options import layer_of, precision_of, precisions_of
from b2nn_tvm.costs.precisions import room
from b2nn_tvm.errors import InputError

TANGENTS = 17  # to the square of the room, from 0 to 1; between them it is off by less than a thousandth


@dataclass(frozen=True)
class Footprint:
    """The saving of mixtures, at most a fourth of ``saving``, in the unit of the cost that it belongs to.

    ``weights`` is the number of weights of each layer that has a choice. Raises InputError where a number is below zero
    or not finite, and where no layer has a weight.
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

    def filled(self, choice: Collection[str]) -> float:
        """The share of the room that the weights fill under this choice of options."""
        return math.fsum(share * room for share, room in self._rooms(choice))

    def saved(self, choice: Collection[str]) -> float:
        """What the network of this choice saves."""
        mean = self.filled(choice)
        return self.saving * math.fsum(share * (room - mean) ** 2 for share, room in self._rooms(choice))

    def most_saved(self, options: Iterable[str]) -> dict[str, float]:
        """For each option the most that it can save here in place of float: where all other layers are float."""
        shares = self.shares
        mine = {each: shares.get(layer_of(each), 0.0) for each in options}
        return {each: self.saving * w * (1 - w) * (1 - room(precision_of(each))) ** 2 for each, w in mine.items()}

    def slope(self, layer: str, precision: str, at: float) -> float:
        """What the layer's having this precision costs, if the square of the room were its tangent at ``at``."""
        filled = room(precision)
        return self.saving * self.shares.get(layer, 0.0) * filled * (2 * at - filled)

    def _rooms(self, choice: Collection[str]) -> list[tuple[float, float]]:
        taken = precisions_of(choice)
        return [(share, room(taken.get(name, "float"))) for name, share in self.shares.items()]
