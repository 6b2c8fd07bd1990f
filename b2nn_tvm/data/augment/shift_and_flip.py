"""Move each image of a batch by some pixels, mirrored at the border, and flip half of them (CIFAR's usual way).

He et al., Deep Residual Learning, section 4.2, who fill the border with zeros.
"""

from __future__ import annotations

import numpy as np
import torch


def shift_and_flip(images: torch.Tensor, shift: int, source: np.random.Generator) -> torch.Tensor:
    """``images`` [N, C, H, W] of any type, each moved by up to ``shift`` pixels in both directions."""
    count, channels, height, width = images.shape
    down, right = source.integers(0, 2 * shift + 1, size=(2, count)) - shift
    flipped = source.random(count) < 0.5
    rows = _mirrored(np.arange(height) + down[:, None], height)
    columns = np.arange(width) + right[:, None]
    columns = _mirrored(np.where(flipped[:, None], columns[:, ::-1], columns), width)
    taken = torch.from_numpy(rows[:, :, None] * width + columns[:, None, :]).to(images.device)
    where = taken.reshape(count, 1, -1).expand(-1, channels, -1)
    return images.flatten(2).gather(2, where).reshape(images.shape)


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    """Places before the first and behind the last pixel are mirrored at it: -1 is 1, ``length`` is ``length - 2``."""
    last = length - 1
    mirrored: np.ndarray = last - np.abs(last - np.abs(places))
    return mirrored.clip(0, last)
