"""The images of each batch, fixed by seed and epoch alone, so that a resumed run sees what it would have seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler


@dataclass(frozen=True)
class BatchIndex:
    """The numbers of the images of one batch; ``seed`` fixes their augmentation and is None for no augmentation."""

    images: tuple[int, ...]
    seed: int | None = None


class ShuffledBatches(Sampler[BatchIndex]):
    """Batches in an order drawn from (seed, epoch); each of ``replicas`` processes gets equally many of its own.

    A last, incomplete batch is left out; it consists of other images in each epoch. Where the images would not fill
    one batch for each process, the batches are made smaller.
    """

    def __init__(self, images: int, batch: int, *, seed: int, replicas: int = 1, rank: int = 0):
        self.images, self.batch = images, min(batch, max(1, images // replicas))
        self.seed, self.replicas, self.rank = seed, replicas, rank
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is drawn; Lightning calls this method before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.images // (self.batch * self.replicas)

    def __iter__(self) -> Iterator[BatchIndex]:
        source = np.random.default_rng([self.seed, self.epoch])
        order = source.permutation(self.images)
        seeds = source.integers(2**62, size=len(self) * self.replicas)
        for number in range(self.rank, len(self) * self.replicas, self.replicas):
            chosen = order[number * self.batch : (number + 1) * self.batch]
            yield BatchIndex(tuple(chosen.tolist()), int(seeds[number]))


class BatchesInOrder(Sampler[BatchIndex]):
    """All images once, in order, not augmented; each of ``replicas`` processes gets every ``replicas``-th batch."""

    def __init__(self, images: int, batch: int, *, replicas: int = 1, rank: int = 0):
        self.images, self.batch = images, min(batch, max(1, images // replicas))
        self.replicas, self.rank = replicas, rank

    def __len__(self) -> int:
        return len(range(self.rank, -(-self.images // self.batch), self.replicas))

    def __iter__(self) -> Iterator[BatchIndex]:
        for number in range(self.rank, -(-self.images // self.batch), self.replicas):
            first = number * self.batch
            yield BatchIndex(tuple(range(first, min(first + self.batch, self.images))))
