"""What a network pays for weights that push one another out of the caches.

A layer is slower in a network with many float weights than among binary layers: the weights of all layers run through
the caches in each inference. Weights of precision p fill r_p of the room that float weights need beyond that of single
bits (costs.precisions.room): 1 where they are float, 0 where they are binary. With the shares w of the weights, a
choice fills the room

    s = sum of w * r

and pays reload * refill(s). The refill is 0 up to a knee, as of a cache that holds all weights up to its size, and
rises from there to 1 where all weights are float. Layers were timed in networks of one precision; the fit scales all
of their times (costs/fit.py), so that what those networks paid is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from b2nn_tvm.costs.options import layer_of, precision_of, precisions_of
from b2nn_tvm.costs.precisions import room
from b2nn_tvm.errors import InputError

# Found with 40 choices of Bi-Real-18 at 64x64, whose float weights take 44 MB, and of MobileNet at 128x128 on a Xeon
# with AVX-512, each predicted from eight networks. docs/methods.md has the errors with other knees.
KNEE = 0.72


def refill(filled: Any) -> Any:
    """The part of all weights' loading, 0 to 1, that is paid where this share of the room is filled; or of an array."""
    return np.maximum(0, (filled - KNEE) / (1 - KNEE))


@dataclass(frozen=True)
class Footprint:
    """What is paid for loading all float weights again, ``reload``, in the unit of the cost that it belongs to.

    ``weights`` is the number of weights of each layer that has a choice. Raises InputError where a number is below zero
    or not finite, and where no layer has a weight.
    """

    weights: Mapping[str, float]
    reload: float

    def __post_init__(self) -> None:
        for name, value in [("loading weights again", self.reload), *self.weights.items()]:
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

    def paid(self, choice: Collection[str]) -> float:
        """What the network of this choice pays."""
        return self.reload * float(refill(self.filled(choice)))

    def most_spared(self, options: Iterable[str]) -> dict[str, float]:
        """For each option the most that it can spare here in place of float: where all other layers are float."""
        shares = self.shares
        freed = {each: shares.get(layer_of(each), 0.0) * (1 - room(precision_of(each))) for each in options}
        return {each: self.reload * (1 - float(refill(1 - share))) for each, share in freed.items()}

    def slope(self, layer: str, precision: str, at: float) -> float:
        """What the layer's having this precision costs, if the refill were its tangent at ``at``: below the knee 0."""
        steep = self.reload / (1 - KNEE) if at >= KNEE else 0.0
        return steep * self.shares.get(layer, 0.0) * room(precision)

    def _rooms(self, choice: Collection[str]) -> list[tuple[float, float]]:
        taken = precisions_of(choice)
        return [(share, room(taken.get(name, "float"))) for name, share in self.shares.items()]
