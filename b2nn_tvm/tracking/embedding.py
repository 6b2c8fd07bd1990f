"""The trunk as a tracker sees it: a function from crops to features, computed by torch or by compiled libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.loss import device_of, evaluating

# From normalized crops float32 [N, 3, H, W] to features float32 [N, C, H', W'].
Embedding = Callable[[np.ndarray], np.ndarray]


class Input(Protocol):
    """The part of the interface of a compiled network's input that is used here."""

    @property
    def name(self) -> str:
        """The name of the input in the arguments of ``run``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input, [N, 3, H, W]."""


class Library(Protocol):
    """The part of the interface of a compiled network (b2nn_tvm.load) that is used here."""

    @property
    def inputs(self) -> Sequence[Input]: ...
    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


def torch_embedding(trunk: nn.Module) -> Embedding:
    """The function that ``trunk`` computes in evaluation mode, on its own device."""

    def embed(crops: np.ndarray) -> np.ndarray:
        with evaluating(trunk), torch.no_grad():
            features: torch.Tensor = trunk(torch.from_numpy(crops).to(device_of(trunk)))
            return features.cpu().numpy()

    return embed


def library_embedding(*libraries: Library) -> Embedding:
    """The function that compiled trunks compute: one library for each crop size, with one input and one output.

    A library that was compiled for several crops at once gets as many in each run. The function raises InputError for
    crops of a size or number that no library was compiled for.
    """
    by_size = {tuple(library.inputs[0].shape[1:]): library for library in libraries}

    def embed(crops: np.ndarray) -> np.ndarray:
        library = by_size.get(crops.shape[1:])
        at_once = library.inputs[0].shape[0] if library else 1
        if library is None or len(crops) % at_once:
            compiled = ", ".join("x".join(map(str, each.inputs[0].shape)) for each in libraries) or "none"
            raise InputError(
                f"no library takes crops of {'x'.join(map(str, crops.shape))}; those given were compiled for {compiled}"
            )
        parts = [crops[first : first + at_once] for first in range(0, len(crops), at_once)]
        answers = [library.run({library.inputs[0].name: np.ascontiguousarray(part)}) for part in parts]
        return np.concatenate([array for answer in answers for array in answer.values()])

    return embed
