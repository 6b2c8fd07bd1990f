"""sign(x) = +1 where x >= threshold and -1 elsewhere (NaN gives -1), with the gradients used in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def sign(x: torch.Tensor, threshold: torch.Tensor | None = None) -> torch.Tensor:
    """Signs of activations, of x's shape and dtype; ``threshold`` broadcasts against x (per channel: shape [C, 1, 1]).

    The gradient is the slope of a piecewise quadratic: 2 - 2|x - threshold| where |x - threshold| < 1, and 0 elsewhere
    (Liu et al., Bi-Real Net, ECCV 2018, section 3.2); the threshold's gradient is its negative (Liu et al., ReActNet,
    ECCV 2020, equation 3).
    """
    if threshold is None:
        return _activation_sign(x)
    return _threshold_sign(x, threshold)


def straight_through(weight: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    """``signs``, with a gradient that passes to ``weight`` where |w| <= 1 (Courbariaux et al., BinaryNet, eq. 4)."""
    return _signs_straight_through(weight, signs)


def _plus_minus_one(positive: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return positive.to(dtype) * 2 - 1


def _quadratic_slope(x: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * x.abs()).clamp(min=0)


class _ActivationSign(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x)
        return _plus_minus_one(x >= 0, x.dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = context.saved_tensors
        return gradient * _quadratic_slope(x)


class _ThresholdSign(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x, threshold)
        # The values are compared and not subtracted, because inf - inf is NaN, whose sign is -1.
        return _plus_minus_one(x >= threshold, x.dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, threshold = context.saved_tensors
        slope = gradient * _quadratic_slope(x - threshold)
        return slope, -slope.sum_to_size(threshold.shape)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, weight: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(weight)
        return signs.clone()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weight,) = context.saved_tensors
        return gradient * (weight.abs() <= 1), None


# ``apply`` has no types in torch.
_activation_sign: Callable[[torch.Tensor], torch.Tensor] = _ActivationSign.apply
_threshold_sign: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = _ThresholdSign.apply
_signs_straight_through: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = _StraightThrough.apply
