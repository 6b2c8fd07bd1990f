"""Metrics of how much a layer's input loses by becoming its sign (Hybrid Binary Networks, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from b2nn_tvm.mixbin.modules.sign import sign


@dataclass(frozen=True)
class InputErrorMetric:
    """An input error computed from sums over all elements of all batches.

    ``add`` maps a batch's input, less the layer's thresholds, to ``sums`` float64 numbers that are added up over
    batches; ``value`` computes the error from the totals.
    """

    sums: int
    add: Callable[[torch.Tensor], torch.Tensor]
    value: Callable[[torch.Tensor], float]


def _squares(x: torch.Tensor) -> torch.Tensor:
    """The sum of squares of the error, the sum of squares of x, and the number of elements."""
    return torch.stack([(sign(x) - x).double().square().sum(), x.double().square().sum(), _count(x)])


def _outside(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([(1 - x.double().clamp(-1, 1).square()).abs().sum(), _count(x)])


def _count(x: torch.Tensor) -> torch.Tensor:
    return torch.tensor(float(x.numel()), dtype=torch.float64, device=x.device)


ERRORS: dict[str, InputErrorMetric] = {
    # sqrt(mean (sign(x) - x)^2)
    "rms": InputErrorMetric(3, _squares, lambda total: math.sqrt(total[0] / total[2])),
    # the same over sqrt(mean x^2), huge for an input of zeros
    "relative-rms": InputErrorMetric(3, _squares, lambda total: math.sqrt(total[0] / max(float(total[1]), 1e-30))),
    # mean |1 - clamp(x, -1, 1)^2|
    "unsaturated": InputErrorMetric(2, _outside, lambda total: float(total[0] / total[1])),
}
