"""The answer to "what if": both times of each convolution, and what mixtures of both forms would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from b2nn_tvm.costs.front import front

STEPS = 20  # rows of the front: one per twentieth of the multiply-accumulates, at most
ACCURACY = "the accuracy of these networks is unknown: nothing was trained, and time does not depend on the weights"


@dataclass(frozen=True)
class Layer:
    """A 2-D convolution: its measured times in milliseconds as float and as binary layer.

    ``binary_ms`` is None where the layer is not binary in any measured network, and ``reason`` says why.
    """

    name: str
    workload: str
    macs: int
    float_ms: float
    binary_ms: float | None
    reason: str = ""

    @property
    def saving_ms(self) -> float | None:
        """The time that the binary form saves; below zero where it is slower."""
        return None if self.binary_ms is None else self.float_ms - self.binary_ms


@dataclass(frozen=True)
class Mixture:
    """A network with the layers ``binary``; ``float_macs`` is the share of the convolutions' MACs that stay float.

    ``ms`` is the time of the whole network: ``measured``, or else predicted from the layers.
    """

    binary: tuple[str, ...]
    float_macs: float
    ms: float
    measured: bool


@dataclass(frozen=True)
class WholeTimes:
    """A measured network: ``whole_ms`` of all of it, and the times of its layers in milliseconds by name."""

    whole_ms: float
    layer_ms: Mapping[str, float]


def mixtures(layers: Sequence[Layer], *, all_float: WholeTimes, all_binary: WholeTimes) -> tuple[Mixture, ...]:
    """The front from the all-float to the all-binary network, which are measured; all between is predicted.

    Each mixture is the fastest with at most so many binary MACs, under the additive model: the time of the all-float
    network, less the saving of each binary layer.
    """
    total = sum(layer.macs for layer in layers) or 1
    candidates = [layer for layer in layers if layer.binary_ms is not None]
    savings = whole_savings(candidates, all_float=all_float, all_binary=all_binary)
    names = tuple(layer.name for layer in candidates)
    found = [Mixture((), 1.0, all_float.whole_ms, measured=True)]
    for choice in front(savings, {layer.name: layer.macs for layer in candidates}, steps=STEPS):
        if choice.binary not in ((), names):
            ms = all_float.whole_ms - choice.saving
            found.append(Mixture(choice.binary, 1 - choice.weight / total, ms, measured=False))
    if not names:
        return tuple(found)
    macs = sum(layer.macs for layer in candidates)
    return (*found, Mixture(names, 1 - macs / total, all_binary.whole_ms, measured=True))


def whole_savings(layers: Sequence[Layer], *, all_float: WholeTimes, all_binary: WholeTimes) -> dict[str, float]:
    """The milliseconds that each layer saves the whole network; together they make up the measured difference.

    The layer times of each network are scaled so that they add up to its whole. The difference that other layers
    make, such as activations that a sign replaces, is shared out by multiply-accumulates.
    """
    scales = [times.whole_ms / (sum(times.layer_ms.values()) or 1.0) for times in (all_float, all_binary)]
    savings = {layer.name: layer.float_ms * scales[0] - (layer.binary_ms or 0.0) * scales[1] for layer in layers}
    rest = all_float.whole_ms - all_binary.whole_ms - sum(savings.values())
    macs = sum(layer.macs for layer in layers) or 1
    return {layer.name: savings[layer.name] + rest * layer.macs / macs for layer in layers}
