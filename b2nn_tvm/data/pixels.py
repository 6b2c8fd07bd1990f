"""A split in memory as the bytes of its pixels, a quarter of the memory of floats, normalized batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, Augmentation
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch


@dataclass(frozen=True, repr=False)
class PixelImages:
    """``pixels`` uint8 [N, C, H, W], ``labels`` int64 [N]; batches are (pixel / 255 - ``mean``) / ``std`` per channel.

    Batches with a seed are augmented before they are normalized.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augmentation = AS_THEY_ARE

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        return f"<PixelImages: {len(self):,} of {'x'.join(map(str, self.pixels.shape[1:]))}>"

    def __getitem__(self, index: BatchIndex) -> Batch:
        rows = torch.tensor(index.images, device=self.pixels.device)
        pixels = self.pixels[rows]
        if index.seed is not None:
            pixels = self.augment(pixels, np.random.default_rng(index.seed))
        return normalized(pixels, self.mean, self.std), self.labels[rows]

    def on(self, device: torch.device) -> PixelImages:
        """The same split with its pixels on ``device``, where its batches are then made."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    @property
    def images(self) -> torch.Tensor:
        """All images, normalized: float32 [N, C, H, W]."""
        return normalized(self.pixels, self.mean, self.std)

    @property
    def augmented(self) -> bool:
        return bool(self.augment)

    @property
    def digest(self) -> str:
        told = hashlib.sha256(f"{self.mean} {self.std} {self.augment}\n".encode())
        told.update(self.pixels.contiguous().numpy().data)
        told.update(self.labels.numpy().data)
        return told.hexdigest()


def normalized(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """(pixel / 255 - ``mean``) / ``std`` per channel of uint8 [..., C, H, W], as float32: rounded three times, which is
    what ``Preprocess.normalized`` gives.
    """
    shift, scale = (torch.tensor(values, device=pixels.device)[:, None, None] for values in (mean, std))
    return pixels.float().div_(255).sub_(shift).div_(scale)


def statistics(pixels: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 [N, C, H, W], as shares of 255; no deviation is below 1e-6.

    They are computed from the counts of the 256 values, so without a copy in floats.
    """
    values = np.arange(256) / 255
    counts = [np.bincount(pixels[:, channel].flatten().numpy(), minlength=256) for channel in range(pixels.shape[1])]
    mean = [float(count @ values / count.sum()) for count in counts]
    variance = [float(count @ (values - own) ** 2 / count.sum()) for count, own in zip(counts, mean, strict=True)]
    return tuple(mean), tuple(max(each**0.5, 1e-6) for each in variance)
