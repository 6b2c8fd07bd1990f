"""The pixels of small image files: each file is decoded once, and its pixels stay in memory as bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

ROOM = 1 << 29  # bytes that a data set may take; CIFAR has 184 million


@dataclass(frozen=True, repr=False)
class KeptPixels:
    """``pixels`` uint8 [N, C, H, W], of which ``known`` bool [N] says which are there already."""

    pixels: torch.Tensor
    known: torch.Tensor

    @classmethod
    def of(cls, count: int, shape: tuple[int, int, int]) -> KeptPixels:
        """Room for ``count`` images of ``shape``, (C, H, W); none is known."""
        return cls(torch.empty(count, *shape, dtype=torch.uint8), torch.zeros(count, dtype=torch.bool))

    @staticmethod
    def have_room(count: int, shape: tuple[int, int, int]) -> bool:
        """Whether so many images of ``shape`` are kept."""
        return count * math.prod(shape) <= ROOM

    def rows(self, rows: Sequence[int], decode: Callable[[int], np.ndarray]) -> torch.Tensor:
        """The images ``rows``; ``decode`` gives the pixels [H, W, C] of one that is not known yet."""
        wanted = torch.tensor(rows)
        for row in sorted(set(wanted[~self.known[wanted]].tolist())):
            self.pixels[row] = torch.from_numpy(decode(row).transpose(2, 0, 1).copy())
            self.known[row] = True
        return self.pixels[wanted]
