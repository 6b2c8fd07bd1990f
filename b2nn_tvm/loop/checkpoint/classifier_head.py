"""The head of a classifier: the last layer, whose number of outputs is the number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

HEAD_WORDS = ("fc", "head", "heads", "classifier", "linear", "last_linear", "logits", "output", "aux", "projector")


@dataclass(frozen=True)
class OtherHead:
    """The ``names`` whose tensors differ in the number of classes alone, and the checkpoint's number of ``classes``."""

    names: tuple[str, ...]
    classes: int


def other_head(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], classes: int) -> OtherHead | None:
    """The head where all tensors of another shape are one of ``classes`` outputs here and another number there.

    Several heads, such as auxiliary ones, count as one. None where no shape differs, or something else does.
    """
    differing = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    pairs = {(*own[name].shape[:1], *weights[name].shape[:1]) for name in differing}
    same = all(own[name].shape[1:] == weights[name].shape[1:] for name in differing)
    if not differing or not same or len(pairs) != 1:
        return None
    here, *there = next(iter(pairs))
    return OtherHead(tuple(differing), there[0]) if here == classes and there else None


def own_head(own: Mapping[str, torch.Tensor], classes: int) -> tuple[str, ...]:
    """The names of the last layer that has ``classes`` outputs; empty where there is none."""
    layers = [name for name, tensor in own.items() if tensor.ndim in (2, 4) and tensor.shape[0] == classes]
    if not layers:
        return ()
    layer = layers[-1].rpartition(".")[0]
    return tuple(name for name in own if name.rpartition(".")[0] == layer)


def is_of_a_head(name: str, head: tuple[str, ...]) -> bool:
    """Whether a name that the network does not have is of a head: its first part is that of ``head`` or a usual one."""
    return name.partition(".")[0] in {*HEAD_WORDS, *(each.partition(".")[0] for each in head)}
