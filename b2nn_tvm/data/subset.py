"""Some images of a split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, Images


@dataclass(frozen=True, repr=False)
class Subset:
    """The images ``rows`` of the split ``images``, renumbered from 0 and augmented as the split is."""

    images: Images
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Subset: {len(self):,} of {self.images!r}>"

    def __getitem__(self, index: BatchIndex) -> Batch:
        return self.images[BatchIndex(tuple(self.rows[row] for row in index.images), index.seed)]

    @property
    def augmented(self) -> bool:
        return self.images.augmented

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.images.digest} {self.rows}".encode()).hexdigest()


def subset(images: Images, count: int, *, seed: int = 0) -> Images:
    """``count`` images drawn by ``seed``, in the order of the split; all images where ``count`` is 0 or too large."""
    if count == 0 or count >= len(images):
        return images
    drawn = np.random.RandomState(seed).permutation(len(images))[:count]  # its stream is frozen by numpy
    return Subset(images, tuple(np.sort(drawn).tolist()))
