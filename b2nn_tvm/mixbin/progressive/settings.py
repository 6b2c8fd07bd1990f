"""The settings by which layers become binary one after the other: one driver, whose settings make several methods.

    method                                         order        precision       epochs   freeze
    Front-BN, Rear-BN                              front, rear  binary          0
    iterative greedy (MixBin, equation 5)          greedy       binary          0
    iterative greedy with training                 greedy       binary          E        no
    layer-wise priority (Wang et al., ICIP 2018)   rear         weight-binary   E        yes
    the order of any selector's scores             scores       any             any      any

The driver is in driver.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from b2nn_tvm.errors import InputError
from b2nn_tvm.plan import Precision

ORDERS = ("front", "rear", "greedy")
WORDS = (*ORDERS, "scores", "layer-wise-priority")


@dataclass(frozen=True)
class Progression:
    """The order of the layers, the training after each one, and the floor at which to stop.

    ``order`` is one of ORDERS or scores, the lowest first; greedy takes the layer whose binarization on top of the
    chosen ones gives the least loss. ``precision`` is the new precision of the layers. ``epochs`` epochs of training
    follow each layer (``distillation`` in 0..1 weighs the float network's answers against the labels); ``freeze`` fixes
    the weights of finished layers at their signs and scales, so that the rest is trained around them. ``floor`` is the
    least validation accuracy in 0..1: a layer that brings the accuracy below it is not kept. Raises InputError for a
    value that is out of range.
    """

    order: str | Mapping[str, float] = "rear"
    precision: Precision = Precision.BINARY
    epochs: int = 0
    freeze: bool = False
    distillation: float = 0.7
    lr: float = 5e-3
    floor: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.order, str) and self.order not in ORDERS:
            raise InputError(f"unknown order {self.order!r}; choose one of {', '.join(ORDERS)}, or give scores")
        if self.precision not in (Precision.BINARY, Precision.WEIGHT_BINARY):
            raise InputError(f"in a progression layers become binary or weight-binary, not {self.precision}")
        if self.epochs < 0:
            raise InputError(f"the number of epochs after each layer is at least 0, not {self.epochs}")
        if self.floor is not None and not 0 <= self.floor <= 1:
            raise InputError(f"the accuracy floor is a share from 0 to 1, not {self.floor}")


def named(word: str, *, scores: Mapping[str, float], epochs: int | None, floor: float | None) -> Progression:
    """The progression that ``word``, one of WORDS, stands for; the word "scores" is the order of ``scores``.

    Where ``epochs`` is None, layer-wise priority has its own number of epochs, and the other orders have one per layer.
    Raises InputError for an unknown word and for a value that is out of range.
    """
    if word not in WORDS:
        raise InputError(f"unknown progressive order {word!r}; choose one of {', '.join(WORDS)}")
    if word == "layer-wise-priority":
        chosen = LAYER_WISE_PRIORITY
    else:
        chosen = Progression(scores if word == "scores" else word, epochs=1)
    return replace(chosen, floor=floor, epochs=chosen.epochs if epochs is None else epochs)


LAYER_WISE_PRIORITY = Progression("rear", Precision.WEIGHT_BINARY, epochs=2, freeze=True, distillation=0.0)
