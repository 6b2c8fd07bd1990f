"""Weights that a training kept in parts become the weights that they stand for.

conv.weight_orig, conv.weight_mask                          ->  conv.weight = orig * mask       (torch.nn.utils.prune)
conv.weight_g, conv.weight_v                                ->  conv.weight = g * v / |v|       (weight_norm)
conv.parametrizations.weight.original0, ...original1        ->  conv.weight, the same           (the newer weight_norm)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import torch

_PARAMETRIZED = ".parametrizations."


def fold_weights(weights: Mapping[str, torch.Tensor], own: Collection[str]) -> dict[str, torch.Tensor]:
    """``weights`` with one tensor in place of its parts, but for parts that the network with the names ``own`` has."""
    found = dict(weights)
    for name, (first, second), value in list(_folded(weights)):
        kept = (first.rpartition(".")[2], second.rpartition(".")[2])
        if name not in weights and not any(each.rpartition(".")[2] in kept for each in own):
            found = {key: tensor for key, tensor in found.items() if key not in (first, second)} | {name: value}
    return found


def _folded(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, tuple[str, str], torch.Tensor]]:
    """The name, the names of the parts and the value of each weight that is in two parts."""
    for one, two, combined in _FORMS:
        for first in weights:
            if not first.endswith(one) or (second := first.removesuffix(one) + two) not in weights:
                continue
            value = combined(weights[first], weights[second])
            if value is not None:
                yield first.removesuffix(one).replace(_PARAMETRIZED, "."), (first, second), value


def _of_length(length: torch.Tensor, direction: torch.Tensor) -> torch.Tensor | None:
    """The vectors ``direction`` with this ``length``, which has one number for each index of some axes."""
    if length.ndim != direction.ndim or not direction.is_floating_point():
        return None
    within = [axis for axis, size in enumerate(length.shape) if size == 1]
    if any(length.shape[axis] not in (1, size) for axis, size in enumerate(direction.shape)):
        return None
    result: torch.Tensor = direction * (length / torch.linalg.vector_norm(direction, dim=within, keepdim=True))
    return result


def _masked(whole: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    return whole * mask if whole.shape == mask.shape else None


_FORMS = (("_orig", "_mask", _masked), ("_g", "_v", _of_length), (".original0", ".original1", _of_length))
