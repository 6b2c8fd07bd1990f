"""The activations of mixed networks, by name: each keeps or drops the sign that a binary convolution reads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError


class BinReLU(nn.Module):
    """max(x, -1), of x's shape: a ReLU floored at -1, so that the sign behind it still carries information.

    The MixBin paper introduces BinReLU as one activation for float and binary layers, but its formula is not public;
    this is the project's reading of it: linear above -1, sign-preserving, and one vector maximum to run.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(x, min=-1.0)


class RPReLU(nn.Module):
    """PReLU(x - shift_in) + shift_out with all three learned per channel, x [N, C, H, W] (ReActNet, equation 4).

    Of signals [N, C, W], ``axes`` is 1.
    """

    def __init__(self, channels: int, axes: int = 2):
        super().__init__()
        self.shift_in = nn.Parameter(torch.zeros(channels, *[1] * axes))
        self.shift_out = nn.Parameter(torch.zeros(channels, *[1] * axes))
        self.prelu = nn.PReLU(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activated: torch.Tensor = self.prelu(x - self.shift_in)
        return activated + self.shift_out


class LeakyClip(nn.Module):
    """x inside [-1, 1] and slope 0.1 outside, of x's shape: a hardtanh whose gradient never vanishes."""

    slope = 0.1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.hardtanh(x) * (1 - self.slope) + x * self.slope


class SignFollows(nn.Identity):
    """An identity in the place of an activation: the sign inside the binary convolution behind it is the activation."""


_MAKERS: dict[str, Callable[[int, int], nn.Module]] = {
    "relu": lambda channels, axes: nn.ReLU(),
    "prelu": lambda channels, axes: nn.PReLU(channels),
    "rprelu": RPReLU,
    "hardtanh": lambda channels, axes: nn.Hardtanh(),
    "leaky_clip": lambda channels, axes: LeakyClip(),
    "binrelu": lambda channels, axes: BinReLU(),
}


def names() -> tuple[str, ...]:
    """The names that ``make`` knows."""
    return tuple(_MAKERS)


def check(name: str) -> None:
    """Raises InputError, with the choices, for an unknown name."""
    if name not in _MAKERS:
        raise InputError(f"there is no activation {name!r}; choose one of {', '.join(_MAKERS)}")


def make(name: str, *, channels: int, axes: int = 2) -> nn.Module:
    """A new activation for tensors [N, channels, H, W], or with another number of ``axes`` behind the channels.

    Raises InputError for an unknown name.
    """
    check(name)
    return _MAKERS[name](channels, axes)
