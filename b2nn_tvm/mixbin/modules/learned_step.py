"""Quantization with a learned step (LSQ: Esser et al., Learned Step Size Quantization, ICLR 2020).

    v -> clip(round(v / step), low, high) * step

Equation 3 of the paper is the gradient in the step: round(v / step) - v / step inside of the range, low or high outside
of it. The gradient in v is 1 inside and 0 outside (equation 5).
"""

from __future__ import annotations

import math

import torch


def quantize(
    v: torch.Tensor, step: torch.Tensor, low: torch.Tensor | float, high: torch.Tensor | float, *, slope: float = 1.0
) -> torch.Tensor:
    """``v`` on the grid of whole multiples of ``step`` (which broadcasts against it) from ``low`` to ``high``.

    Rounding is half to even, as in ONNX's QuantizeLinear. The gradient in the step is multiplied by ``slope`` (see
    ``gradient_scale``).
    """
    scaled = step.detach() + _gradient_of(step * slope)
    least, most = (torch.as_tensor(end, dtype=v.dtype, device=v.device) for end in (low, high))
    codes = torch.clamp(v / scaled, least, most)
    return (codes.round().detach() + _gradient_of(codes)) * scaled


def gradient_scale(count: int, high: int) -> float:
    """1 / sqrt(count * high) for ``count`` values that share a step, whose largest code is ``high`` (section 2.2)."""
    return 1 / math.sqrt(count * high)


def initial_step(mean_magnitude: torch.Tensor, high: int) -> torch.Tensor:
    """The step before training, 2 * mean |v| / sqrt(high) (section 2.1); never 0."""
    return (2 * mean_magnitude / math.sqrt(high)).clamp(min=torch.finfo(torch.float32).tiny ** 0.5)


def _gradient_of(x: torch.Tensor) -> torch.Tensor:
    """0 with the gradient of ``x``, exactly: what it is added to keeps its value."""
    return x - x.detach()
