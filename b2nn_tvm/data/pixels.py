"""A split in memory as the bytes of its pixels, a quarter of the memory of floats, normalized batch by batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, TensorImages


@dataclass(frozen=True, repr=False)
class PixelImages:
    """``pixels`` uint8 [N, C, H, W], ``labels`` int64 [N]; batches are (pixel / 255 - ``mean``) / ``std`` per channel.

    ``shift`` > 0 augments as TensorImages does.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    shift: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        return f"<PixelImages: {len(self):,} of {'x'.join(map(str, self.pixels.shape[1:]))}>"

    def __getitem__(self, index: BatchIndex) -> Batch:
        rows = torch.tensor(index.images)
        batch = TensorImages(self._normalized(self.pixels[rows]), self.labels[rows], self.shift)
        return batch[BatchIndex(tuple(range(len(batch))), index.seed)]

    @property
    def images(self) -> torch.Tensor:
        """All images, normalized: float32 [N, C, H, W]."""
        return self._normalized(self.pixels)

    @property
    def augmented(self) -> bool:
        return self.shift > 0

    @property
    def digest(self) -> str:
        told = hashlib.sha256(f"{self.mean} {self.std} {self.shift}\n".encode())
        told.update(self.pixels.contiguous().numpy().data)
        told.update(self.labels.numpy().data)
        return told.hexdigest()

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.float() / 255 - _per_channel(self.mean)) / _per_channel(self.std)


def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]
