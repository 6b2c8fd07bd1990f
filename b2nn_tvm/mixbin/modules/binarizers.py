"""The binary form of a filter's weights: scale * signs + offset, which gives two values per output channel.

    xnor                 +alpha and -alpha, alpha = mean |w|; no offset
    distribution-aware   alpha and beta, the two values with the least squared error

A binarizer has no gradient; ``straight_through`` of sign.py passes gradients on to the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from b2nn_tvm.errors import InputError


@dataclass(frozen=True)
class TwoValues:
    """Weights of two values per output channel: ``signs`` [O, C, ...] of +1 and -1, ``scale`` [O], ``offset`` [O].

    Without an offset (None) the two values are +scale and -scale.
    """

    signs: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor | None

    @property
    def dense(self) -> torch.Tensor:
        """The two-valued weights as one tensor of the signs' shape."""
        per_filter = (-1, *[1] * (self.signs.dim() - 1))
        weights = self.signs * self.scale.reshape(per_filter)
        return weights if self.offset is None else weights + self.offset.reshape(per_filter)


def binarize(weight: torch.Tensor, binarizer: str = "xnor") -> TwoValues:
    """The two-valued form of float weights [O, C, kh, kw] or [O, C, k], without a gradient; raises InputError for an
    unknown name.
    """
    check(binarizer)
    return _BINARIZERS[binarizer](weight.detach())


def names() -> tuple[str, ...]:
    """The names that ``binarize`` knows."""
    return tuple(_BINARIZERS)


def check(binarizer: str) -> None:
    """Raises InputError, with the choices, for an unknown name."""
    if binarizer not in _BINARIZERS:
        raise InputError(f"there is no binarizer {binarizer!r}; choose one of {', '.join(_BINARIZERS)}")


def _xnor(weight: torch.Tensor) -> TwoValues:
    """The optimal scale of the signs is the mean of |w| (Rastegari et al., XNOR-Net, equation 6)."""
    signs = torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)
    return TwoValues(signs, weight.abs().mean(dim=tuple(range(1, weight.dim()))), None)


def _distribution_aware(weight: torch.Tensor) -> TwoValues:
    """The optimal split into K weights of value alpha and n - K of value beta, per filter (Prabhu et al., WACV 2018).

    Their theorem: K maximizes S_K^2 / K + (T - S_K)^2 / (n - K), S_K being the sum of the K largest of the n weights
    and T of all; alpha = S_K / K, beta = (T - S_K) / (n - K). The sums are float64, so that rounding picks no other K.
    """
    rows = weight.flatten(1)
    count = rows.shape[1]
    if count == 1:  # a single weight is its own value
        return TwoValues(torch.ones_like(weight), torch.zeros_like(rows[:, 0]), rows[:, 0].clone())
    ordered, order = rows.double().sort(dim=1, descending=True, stable=True)
    sums = ordered.cumsum(dim=1)
    total, sums = sums[:, -1:], sums[:, :-1]
    sizes = torch.arange(1, count, device=rows.device, dtype=torch.float64)
    objective = sums.square() / sizes + (total - sums).square() / (count - sizes)
    best = objective.argmax(dim=1, keepdim=True)
    alpha = sums.gather(1, best) / (best + 1)
    beta = (total - sums.gather(1, best)) / (count - best - 1)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(count, device=rows.device).expand_as(order))
    signs = torch.where(ranks <= best, 1.0, -1.0).to(weight.dtype).reshape(weight.shape)
    return TwoValues(signs, ((alpha - beta) / 2)[:, 0].to(weight.dtype), ((alpha + beta) / 2)[:, 0].to(weight.dtype))


_BINARIZERS: dict[str, Callable[[torch.Tensor], TwoValues]] = {
    "xnor": _xnor,
    "distribution-aware": _distribution_aware,
}
